//go:build linux

package main

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// landlockABI asks for the kernel's version of Landlock. Without Landlock the
// error is ENOSYS; where it is built in but was not switched on, EOPNOTSUPP.
func landlockABI() (int, error) {
	abi, _, errno := unix.RawSyscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0, errno
	}
	return int(abi), nil
}

// landlockCreate passes as much of attr as that version of the kernel knows.
func landlockCreate(attr *unix.LandlockRulesetAttr, abi int) (int, error) {
	size := unsafe.Sizeof(attr.Handled_access_fs)
	if abi >= 4 {
		size += unsafe.Sizeof(attr.Handled_access_net)
	}
	if abi >= 6 {
		size += unsafe.Sizeof(attr.Scoped)
	}
	fd, _, errno := unix.RawSyscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(attr)), size, 0)
	if errno != 0 {
		return -1, errno
	}
	return int(fd), nil
}

// landlockAllow adds a rule for a path. The kernel's struct is packed: 12 bytes,
// of which Go's has the same at the front.
func landlockAllow(ruleset int, path string, allow uint64) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	rule := struct {
		allow  uint64
		parent int32
	}{allow, int32(fd)}
	_, _, errno := unix.RawSyscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(ruleset), unix.LANDLOCK_RULE_PATH_BENEATH,
		uintptr(unsafe.Pointer(&rule)), 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}
