package attack

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

func open(path string, flags int) string { return opened(unix.Open(path, flags|unix.O_CLOEXEC, 0o600)) }

func init() {
	register(map[string]func(*World) string{
		"open a host file by path":    func(w *World) string { return open(w.Secret, unix.O_RDONLY) },
		"open a file of its own root": func(w *World) string { return open(w.Near, unix.O_RDONLY) },
		"open a host file by dotdot": func(w *World) string {
			return open(strings.Repeat("../", 40)+w.Secret[1:], unix.O_RDONLY)
		},
		"open a host file through its process": func(w *World) string {
			return open(fmt.Sprintf("/proc/%d/root%s", w.Host, w.Secret), unix.O_RDONLY)
		},
		"open its own process in proc": func(*World) string { return open("/proc/self/mem", unix.O_RDWR) },
		"open a host file by an inherited descriptor": func(w *World) string {
			return opened(unix.Openat(w.Dir, w.Secret[1:], unix.O_RDONLY, 0))
		},
		"openat2 past the root": func(w *World) string {
			return opened(unix.Openat2(unix.AT_FDCWD, strings.Repeat("../", 40)+w.Secret[1:], &unix.OpenHow{Flags: unix.O_RDONLY}))
		},
		"openat2 within an inherited folder": func(w *World) string {
			return opened(unix.Openat2(w.Dir, w.Secret[1:], &unix.OpenHow{Flags: unix.O_RDONLY, Resolve: unix.RESOLVE_IN_ROOT}))
		},
		"openat2 through a magic link": func(*World) string {
			return opened(unix.Openat2(unix.AT_FDCWD, "/proc/self/fd/0", &unix.OpenHow{Flags: unix.O_RDONLY}))
		},
		"open a file by its handle": func(w *World) string {
			return opened(unix.OpenByHandleAt(w.Dir, unix.NewFileHandle(1, make([]byte, 8)), unix.O_RDONLY))
		},
		"ask for the handle of a file": func(w *World) string {
			_, _, err := unix.NameToHandleAt(unix.AT_FDCWD, w.Secret, 0)
			return said(err)
		},
		"write a host file":   func(w *World) string { return fill(filepath.Join(w.Folder, "written"), 1) },
		"fill the disk":       func(*World) string { return fill("filling", 1<<20) },
		"make files for ever": manyFiles,
		"make a folder": func(w *World) string {
			return making(filepath.Join(w.Folder, "made"), func(p string) error { return unix.Mkdir(p, 0o700) })
		},
		"make a symbolic link": func(w *World) string {
			return making(filepath.Join(w.Folder, "link"), func(p string) error { return unix.Symlink("/", p) })
		},
		"make a device": func(w *World) string {
			return making(filepath.Join(w.Folder, "null"), func(p string) error { return unix.Mknod(p, unix.S_IFCHR|0o600, int(unix.Mkdev(1, 3))) })
		},
		"make a device beside its socket": func(*World) string {
			return making("null", func(p string) error { return unix.Mknod(p, unix.S_IFCHR|0o600, int(unix.Mkdev(1, 3))) })
		},
		"watch the host's files": func(w *World) string {
			fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
			if err == nil {
				_, err = unix.InotifyAddWatch(fd, w.Folder, unix.IN_CREATE)
			}
			return said(err)
		},
		"watch file systems":     func(*World) string { return opened(unix.FanotifyInit(unix.FAN_CLASS_NOTIF, unix.O_RDONLY)) },
		"type into the terminal": typeIn,
		"mount over a host folder": func(w *World) string {
			err := unix.Mount("none", w.Folder, "tmpfs", 0, "size=4k")
			if err == nil {
				err = unix.Unmount(w.Folder, unix.MNT_DETACH)
			}
			return said(err)
		},
		"mount over its own folder": func(*World) string {
			err := unix.Mount("none", ".", "tmpfs", 0, "size=4k")
			if err == nil {
				err = unix.Unmount(".", unix.MNT_DETACH)
			}
			return said(err)
		},
		"copy a mount":       func(*World) string { return opened(unix.OpenTree(unix.AT_FDCWD, "/", unix.OPEN_TREE_CLONE)) },
		"make a file system": func(*World) string { return opened(unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)) },
		"unmount its root":   func(*World) string { return said(unix.Unmount("/nowhere", unix.MNT_DETACH)) },
		"pivot_root":         func(*World) string { return said(unix.PivotRoot("/nowhere", "/nowhere")) },
		"chroot":             func(*World) string { return said(unix.Chroot(".")) },
	})
}

// fill writes a file of that many bytes, and removes it again.
func fill(path string, size int) string {
	fd, err := unix.Open(path, unix.O_CREAT|unix.O_WRONLY|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return said(err)
	}
	defer unix.Close(fd)
	n, err := unix.Write(fd, make([]byte, size))
	_ = unix.Unlink(path)
	if err == nil && n < size {
		return fmt.Sprintf("cut-at-%d", n)
	}
	return said(err)
}

func making(path string, f func(string) error) string {
	err := f(path)
	if err == nil {
		err = os.Remove(path)
	}
	return said(err)
}

// typeIn puts a byte where a shell of the host would read it.
func typeIn(w *World) string { return terminal(w.TTY, '#') }

const tooManyFiles = 1000

// manyFiles makes empty ones, which cost no bytes but inodes.
func manyFiles(*World) string {
	said := OK
	made := 0
	for ; made < tooManyFiles && said == OK; made++ {
		said = open(fmt.Sprintf("f%d", made), unix.O_CREAT|unix.O_WRONLY)
	}
	for n := range made {
		_ = unix.Unlink(fmt.Sprintf("f%d", n))
	}
	return said
}
