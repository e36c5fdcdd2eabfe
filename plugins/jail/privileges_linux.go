package main

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// securebits: uid 0 means nothing to exec, changes of uid give and keep no
// capabilities, and none become ambient; all of it for good.
const securebits = 1<<0 | 1<<1 | // SECBIT_NOROOT, locked
	1<<2 | 1<<3 | // SECBIT_NO_SETUID_FIXUP, locked
	1<<5 | // SECBIT_KEEP_CAPS stays off
	1<<6 | 1<<7 // SECBIT_NO_CAP_AMBIENT_RAISE, locked

// lastCap is more than any kernel has; PR_CAPBSET_READ says where it ends.
const lastCap = 63

// capabilities empties the bounding set and locks the ways by which
// capabilities come back. The sets in force are emptied with the identity, which
// still needs them.
func (j *jail) capabilities() (string, error) {
	if !j.Privileged {
		return "none to begin with", nil
	}
	dropped := 0
	for c := uintptr(0); c <= lastCap; c++ {
		if unix.Prctl(unix.PR_CAPBSET_READ, c, 0, 0, 0) != nil {
			break
		}
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil {
			return "", fmt.Errorf("drop capability %d: %w", c, err)
		}
		dropped++
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return "", fmt.Errorf("clear ambient capabilities: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_SECUREBITS, securebits, 0, 0, 0); err != nil {
		return "", fmt.Errorf("lock the secure bits: %w", err)
	}
	return fmt.Sprintf("%d dropped", dropped), nil
}

// identity becomes the sandbox's uid and gid and drops all capabilities that
// are left. The calls are raw: Go's own would change every thread, of which one
// executes.
func (j *jail) identity() (string, error) {
	note := "by the user namespace"
	if j.ID != 0 {
		id := uintptr(j.ID)
		note = fmt.Sprintf("uid %d", j.ID)
		if _, _, errno := unix.RawSyscall(unix.SYS_SETGROUPS, 0, 0, 0); errno != 0 {
			return "", fmt.Errorf("setgroups: %w", errno)
		}
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESGID, id, id, id); errno != 0 {
			return "", fmt.Errorf("setresgid %d: %w", id, errno)
		}
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, id, id, id); errno != 0 {
			return "", fmt.Errorf("setresuid %d: %w", id, errno)
		}
	} else if !j.Privileged {
		return "the host's own uid, without capabilities", nil
	}
	var none [2]unix.CapUserData
	if err := unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &none[0]); err != nil {
		return "", fmt.Errorf("capset: %w", err)
	}
	return note, nil
}

func (j *jail) noNewPrivs() (string, error) {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return "", fmt.Errorf("prctl PR_SET_NO_NEW_PRIVS: %w", err)
	}
	return "", nil
}

// session makes sure of what the fork was to bring: in the session of somebody
// with a terminal a process could type into it (TIOCSTI), and signals to its
// group would be signals to the host.
func (j *jail) session() (string, error) {
	sid, err := unix.Getsid(0)
	if err != nil {
		return "", fmt.Errorf("getsid: %w", err)
	}
	if pid := unix.Getpid(); sid != pid || unix.Getpgrp() != pid {
		return "", fmt.Errorf("process %d is in session %d and group %d, want its own", pid, sid, unix.Getpgrp())
	}
	return "", nil
}

// opaque tries what the program will do itself: an exec takes it back.
func (j *jail) opaque() (string, error) {
	if !j.Probe {
		return "", errNotOrdered
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return "", fmt.Errorf("prctl PR_SET_DUMPABLE: %w", err)
	}
	if now, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); err != nil || now != 0 {
		return "", fmt.Errorf("prctl PR_GET_DUMPABLE: %d, %w", now, err)
	}
	return "", nil
}

// limits sets each one soft and hard. A lower one that the host runs under
// stays.
func (j *jail) limits() (string, error) {
	for _, l := range j.Limits {
		var now syscall.Rlimit
		if err := syscall.Getrlimit(l.Resource, &now); err != nil {
			return "", fmt.Errorf("%s: %w", l.Name, err)
		}
		v := min(l.Value, now.Max)
		// Go's own Setrlimit, since Go's Exec would put RLIMIT_NOFILE back.
		if err := syscall.Setrlimit(l.Resource, &syscall.Rlimit{Cur: v, Max: v}); err != nil {
			return "", fmt.Errorf("%s to %d: %w", l.Name, v, err)
		}
	}
	return fmt.Sprintf("%d set", len(j.Limits)), nil
}
