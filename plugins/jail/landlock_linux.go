package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Rights by the version (ABI) of Landlock that knows them. Everything that a
// version knows is refused, except for what rules allow.
var rights = []struct {
	abi             int
	fs, net, scoped uint64
}{
	{1, 1<<13 - 1, 0, 0}, // LANDLOCK_ACCESS_FS_EXECUTE to _MAKE_SYM
	{2, unix.LANDLOCK_ACCESS_FS_REFER, 0, 0},
	{3, unix.LANDLOCK_ACCESS_FS_TRUNCATE, 0, 0},
	{4, 0, unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP, 0},
	{5, unix.LANDLOCK_ACCESS_FS_IOCTL_DEV, 0, 0},
	{6, 0, 0, unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL},
	{9, unix.LANDLOCK_ACCESS_FS_RESOLVE_UNIX, 0, 0},
	{10, 0, unix.LANDLOCK_ACCESS_NET_BIND_UDP | unix.LANDLOCK_ACCESS_NET_CONNECT_SEND_UDP, 0},
}

// What rules allow. A file takes no right that is about folders.
const (
	mayRead  = unix.LANDLOCK_ACCESS_FS_READ_FILE
	mayExec  = mayRead | unix.LANDLOCK_ACCESS_FS_EXECUTE
	mayServe = mayRead | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE |
		unix.LANDLOCK_ACCESS_FS_MAKE_REG | unix.LANDLOCK_ACCESS_FS_MAKE_SOCK
	mayList = mayRead | unix.LANDLOCK_ACCESS_FS_READ_DIR
	// mayWork is without sockets, pipes, devices and symbolic links: a host's
	// program that comes upon one could be led somewhere, or wait for ever.
	mayWork = mayList | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE | unix.LANDLOCK_ACCESS_FS_REFER |
		unix.LANDLOCK_ACCESS_FS_MAKE_REG | unix.LANDLOCK_ACCESS_FS_MAKE_DIR |
		unix.LANDLOCK_ACCESS_FS_REMOVE_FILE | unix.LANDLOCK_ACCESS_FS_REMOVE_DIR
)

// landlock refuses files, TCP, abstract sockets and signals, each a second time
// behind the namespaces: and the first time where there are none.
func (j *jail) landlock() (string, error) {
	if j.Paths == nil {
		return "", errNotOrdered
	}
	abi, err := landlockABI()
	if err != nil {
		return "", fmt.Errorf("landlock_create_ruleset: %w", err)
	}
	var attr unix.LandlockRulesetAttr
	for _, r := range rights {
		if abi >= r.abi {
			attr.Handled_access_fs |= r.fs
			attr.Handled_access_net |= r.net
			attr.Scoped |= r.scoped
		}
	}
	ruleset, err := landlockCreate(&attr, abi)
	if err != nil {
		return "", fmt.Errorf("landlock_create_ruleset, version %d: %w", abi, err)
	}
	defer unix.Close(ruleset)
	for _, p := range j.Paths {
		allow := uint64(mayRead)
		switch {
		case p.Exec:
			allow = mayExec
		case p.Serve:
			allow = mayServe
		case p.Folder && p.Write:
			allow = mayWork
		case p.Folder:
			allow = mayList
		}
		if err := landlockAllow(ruleset, string(p.Path), allow&attr.Handled_access_fs); err != nil {
			return "", fmt.Errorf("allow %s: %w", p.Path, err)
		}
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_LANDLOCK_RESTRICT_SELF, uintptr(ruleset), 0, 0); errno != 0 {
		return "", fmt.Errorf("landlock_restrict_self: %w", errno)
	}
	return fmt.Sprintf("ABI %d", abi), nil
}
