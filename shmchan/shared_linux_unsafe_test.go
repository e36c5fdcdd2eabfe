//go:build linux && (amd64 || arm64)

package shmchan

import (
	"os"
	"sync/atomic"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sharedFile is a memory file of so many bytes.
func sharedFile(tb testing.TB, size int64) *os.File {
	tb.Helper()
	fd, err := unix.MemfdCreate("shmchan-test", unix.MFD_CLOEXEC)
	if err != nil {
		tb.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "shmchan-test")
	tb.Cleanup(func() { _ = f.Close() })
	if err := f.Truncate(size); err != nil {
		tb.Fatal(err)
	}
	return f
}

func mapShared(tb testing.TB, f *os.File, size, prot int) []byte {
	tb.Helper()
	b, err := unix.Mmap(int(f.Fd()), 0, size, prot, unix.MAP_SHARED)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = unix.Munmap(b) })
	return b
}

// sharedWord is one word seen by its owner (mine) and, through a read-only
// mapping of the same page, by the peer (theirs).
type sharedWord struct{ mine, theirs *atomic.Uint64 }

// sharedWords gives n words on lines of their own.
func sharedWordsOf(tb testing.TB, n int) []sharedWord {
	tb.Helper()
	size := (n*128 + 4095) &^ 4095
	f := sharedFile(tb, int64(size))
	rw := mapShared(tb, f, size, unix.PROT_READ|unix.PROT_WRITE)
	ro := mapShared(tb, f, size, unix.PROT_READ)
	words := make([]sharedWord, n)
	for i := range words {
		words[i] = sharedWord{word64(rw, i*128), word64(ro, i*128)}
	}
	return words
}

func word64(b []byte, off int) *atomic.Uint64 {
	return (*atomic.Uint64)(unsafe.Pointer(&b[off]))
}

func word32(b []byte, off int) *atomic.Uint32 {
	return (*atomic.Uint32)(unsafe.Pointer(&b[off]))
}
