//go:build linux

package main

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// lastSignal is the last real-time signal.
const lastSignal = 64

// signals gives the program the mask and the dispositions of a process that
// nobody has meddled with. Ignored signals and blocked ones pass through exec: a
// host under nohup would hand its own on, and a program that blocks a signal
// because its parent did does not end when it should.
//
// The Go runtime's handlers are gone after this; what still runs is the exec.
func (j *jail) signals() (string, error) {
	var byDefault [4]uint64 // struct sigaction of the kernel: handler, flags, restorer, mask
	const size = unsafe.Sizeof(uint64(0))
	for n := uintptr(1); n <= lastSignal; n++ {
		_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, n, uintptr(unsafe.Pointer(&byDefault)), 0, size, 0, 0)
		if errno != 0 && n != uintptr(unix.SIGKILL) && n != uintptr(unix.SIGSTOP) {
			return "", fmt.Errorf("reset signal %d: %w", n, errno)
		}
	}
	var none unix.Sigset_t
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &none, nil); err != nil {
		return "", fmt.Errorf("empty the signal mask: %w", err)
	}
	return "", nil
}
