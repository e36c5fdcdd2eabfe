//go:build linux

package launch

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// childStatus reads si_status of a siginfo that waitid has filled for a child:
// the exit code or the signal. The kernel lays the union out at the alignment
// of a pointer, behind three ints; si_pid and si_uid come first in it.
//
// The caller's value is only read, within its 128 bytes.
func childStatus(info *unix.Siginfo) int {
	type child struct {
		_      [3]int32 // si_signo, si_errno, si_code
		_      [0]uintptr
		_      int32  // si_pid
		_      uint32 // si_uid
		status int32
	}
	return int((*child)(unsafe.Pointer(info)).status)
}
