//go:build amd64 || arm64

package seccomp

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// setModeFilter makes the system call. With the flag of a listener the result is
// its descriptor; without, the number of a thread that could not follow, or 0.
//
// Preconditions: raw is not empty and has at most 4096 elements.
func setModeFilter(raw []unix.SockFilter, flags uintptr) (int, error) {
	program := unix.SockFprog{Len: uint16(len(raw)), Filter: &raw[0]}
	r, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&program)))
	runtime.KeepAlive(raw)
	if errno != 0 {
		return 0, errno
	}
	return int(r), nil
}
