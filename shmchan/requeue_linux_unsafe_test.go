//go:build linux && (amd64 || arm64)

package shmchan

import (
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// futexRequeue moves all who sleep on a word to another one, whoever they are:
// the kernel asks for no more than read access to both.
func futexRequeue(from, to *atomic.Uint64) int {
	const requeue = 3
	n, _, _ := syscall.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(from)), requeue,
		0, futexAll, uintptr(unsafe.Pointer(to)), 0)
	return int(n)
}
