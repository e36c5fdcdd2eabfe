//go:build amd64 || arm64

package seccomp

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// notif is struct seccomp_notif of the kernel.
type notif struct {
	id    uint64
	pid   uint32
	flags uint32
	nr    int32
	arch  uint32
	ip    uint64
	args  [6]uint64
}

// notifResp is struct seccomp_notif_resp of the kernel.
type notifResp struct {
	id    uint64
	val   int64
	errno int32
	flags uint32
}

// The kernel has the sizes in the requests' numbers, and refuses others.
var (
	_ [unix.SECCOMP_IOCTL_NOTIF_RECV >> 16 & 0x3fff]byte = [unsafe.Sizeof(notif{})]byte{}
	_ [unix.SECCOMP_IOCTL_NOTIF_SEND >> 16 & 0x3fff]byte = [unsafe.Sizeof(notifResp{})]byte{}
)

func notifReceive(fd int) (Notification, error) {
	var n notif // the kernel demands zeros
	if err := ioctl(fd, unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(&n)); err != nil {
		return Notification{}, err
	}
	return Notification{ID: n.id, TID: int(n.pid), Call: Call{Number: uint32(n.nr), Args: n.args, Arch: n.arch}}, nil
}

func notifSend(fd int, id uint64, val int64, errno int32, flags uint32) error {
	r := notifResp{id: id, val: val, errno: errno, flags: flags}
	return ioctl(fd, unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&r))
}

// ioctl passes p for the time of the call only.
func ioctl(fd int, request uint, p unsafe.Pointer) error {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(request), uintptr(p))
	if errno != 0 {
		return errno
	}
	return nil
}
