package pingpong

import (
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mapWords maps the page of a words peer for as long as the process lives.
func mapWords(f *os.File) (*wordsPage, error) {
	mem, err := unix.Mmap(int(f.Fd()), 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	return (*wordsPage)(unsafe.Pointer(unsafe.SliceData(mem))), nil
}

const (
	futexWaitOp = 0 // FUTEX_WAIT, shared between processes
	futexWakeOp = 1 // FUTEX_WAKE
)

// futexSleep blocks while the word is old. It tells Go's scheduler, which must
// be able to stop this goroutine for a collection.
func futexSleep(word *atomic.Uint32, old uint32) {
	_, _, _ = unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWaitOp, uintptr(old), 0, 0, 0)
}

// futexWake wakes one waiter. It does not block, so the scheduler need not know.
func futexWake(word *atomic.Uint32) {
	_, _, _ = unix.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWakeOp, 1, 0, 0, 0)
}
