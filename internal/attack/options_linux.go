package attack

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// What the arguments of harmless calls are good for.
func init() {
	register(map[string]func(*World) string{
		"have the kernel run a packet filter": func(*World) string {
			return with(unix.AF_UNIX, unix.SOCK_STREAM, 0, func(fd int) error {
				program := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K}}
				return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &program[0]})
			})
		},
		"hold its peer by a pidfd":           holdPeer,
		"tie another sandbox to a processor": func(w *World) string { return tie(w.Other) },
		"make a device by a rename":          renameLeavingDevice,
		"open its closed folder again": func(w *World) string {
			folder, err := os.Open(".")
			if err != nil {
				return said(err)
			}
			defer folder.Close()
			if err := unix.Fchmod(int(folder.Fd()), 0o700); err != nil {
				return said(err)
			}
			return manyFiles(w)
		},
		"rewrite a set-user-ID file in memory":          rewriteSetUserID(where),
		"rewrite it under a number of the ring":         rewriteSetUserID(copied(ringIn)),
		"rewrite it under the other number of the ring": rewriteSetUserID(copied(ringOut)),
		"rewrite it where the ring was closed":          rewriteSetUserID(closedFirst(ringIn)),
		"rewrite it where an execution closes the ring": rewriteSetUserID(byExecution),
	})
}

// holdPeer asks each connection for the process at its other end.
func holdPeer(*World) string {
	var err error
	for fd := range 64 {
		var peer int
		if peer, err = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PEERPIDFD); err == nil {
			_ = unix.Close(peer)
			return OK
		}
		if err == unix.EPERM {
			break
		}
	}
	return said(err)
}

func tie(pid int) string {
	var one unix.CPUSet
	one.Set(0)
	return said(unix.SchedSetaffinity(pid, &one))
}

// renameLeavingDevice leaves a character device where the file was.
func renameLeavingDevice(w *World) string {
	from, to := filepath.Join(w.Folder, "new"), filepath.Join(w.Folder, "moved")
	return created(w, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY, 0o600, func(int) error {
		defer func() { _ = unix.Unlink(to) }()
		if err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_WHITEOUT); err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(from, &st); err != nil {
			return err
		}
		if st.Mode&unix.S_IFMT != unix.S_IFCHR {
			return unix.ENODEV
		}
		return nil
	})
}

// rewriteSetUserID changes a file that keeps its mode: the kernel takes it away
// at a write, and not at one through a shared mapping, which may begin as one for
// reading. The file is first put where the filter may take it for another one.
func rewriteSetUserID(put func(fd int) (at int, err error)) func(*World) string {
	return func(w *World) string {
		fd, err := unix.Open(filepath.Join(w.Folder, "owners"), unix.O_RDWR|unix.O_CLOEXEC, 0)
		if err != nil {
			return said(err)
		}
		defer unix.Close(fd)
		at, err := put(fd)
		if err != nil {
			return said(err)
		}
		memory, err := unix.Mmap(at, 0, page, unix.PROT_READ, unix.MAP_SHARED)
		if err != nil {
			return said(err)
		}
		if err := unix.Mprotect(memory, unix.PROT_READ|unix.PROT_WRITE); err != nil {
			return said(err)
		}
		memory[0] = 'X'
		_ = unix.Munmap(memory)
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			return said(err)
		}
		if st.Mode&unix.S_ISUID == 0 {
			return "the mode is gone"
		}
		return OK
	}
}

// The numbers of a native plugin's ring, the only ones that can be mapped shared.
const ringOut, ringIn = 5, 6

func where(fd int) (int, error) { return fd, nil }

func copied(to int) func(int) (int, error) {
	return func(fd int) (int, error) { return to, unix.Dup3(fd, to, 0) }
}

// closedFirst makes room under the number, which the next copy takes.
func closedFirst(to int) func(int) (int, error) {
	return func(fd int) (int, error) {
		if err := unix.Close(to); err != nil && !errors.Is(err, unix.EBADF) {
			return 0, err
		}
		at, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, to)
		if err == nil && at != to {
			err = unix.EEXIST
		}
		return at, err
	}
}

// byExecution has the ring closed when the program executes itself anew.
func byExecution(fd int) (int, error) {
	if _, err := unix.FcntlInt(ringIn, unix.F_SETFD, unix.FD_CLOEXEC); err != nil && !errors.Is(err, unix.EBADF) {
		return 0, err
	}
	return fd, nil
}
