package attack

import (
	"errors"
	"strings"

	"golang.org/x/sys/unix"
)

// said puts the end of a call into a word.
func said(err error) string {
	var errno unix.Errno
	if err == nil {
		return OK
	}
	if errors.As(err, &errno) {
		if name := unix.ErrnoName(errno); name != "" {
			return name
		}
	}
	return strings.ReplaceAll(err.Error(), " ", "-")
}

// opened closes what an attack could open.
func opened(fd int, err error) string {
	if err == nil {
		_ = unix.Close(fd)
	}
	return said(err)
}

// call makes a system call whose arguments are numbers.
func call(number uintptr, args ...uintptr) string {
	var a [6]uintptr
	copy(a[:], args)
	if _, _, errno := unix.Syscall6(number, a[0], a[1], a[2], a[3], a[4], a[5]); errno != 0 {
		return said(errno)
	}
	return OK
}

// numeric is an attack of one such call.
func numeric(number uintptr, args ...uintptr) func(*World) string {
	return func(*World) string { return call(number, args...) }
}

// none is no descriptor, no process, no address.
const none = ^uintptr(0)
