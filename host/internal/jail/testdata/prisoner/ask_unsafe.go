package main

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// prctlInt is a prctl that answers through a pointer.
func prctlInt(option int, answer *int32) error {
	return unix.Prctl(option, uintptr(unsafe.Pointer(answer)), 0, 0, 0)
}

// signals tells which signals were blocked or ignored when the program began:
// Go's runtime takes over neither SIGTSTP nor what was ignored.
func signals([]string) (string, error) {
	ignored := 0
	for _, n := range []unix.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGTSTP} {
		var now [4]uint64
		_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(n), 0, uintptr(unsafe.Pointer(&now)), 8, 0, 0)
		if errno != 0 {
			return "", errno
		}
		if now[0] == 1 { // SIG_IGN
			ignored++
		}
	}
	var mask unix.Sigset_t
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, nil, &mask); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d ignored, mask %x", ignored, mask.Val[0]), nil
}
