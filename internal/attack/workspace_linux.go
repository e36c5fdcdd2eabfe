package attack

import (
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// What a folder that may be written to is good for. Folder is the workspace, as
// the attacker sees it. In there are a file "plain", a symbolic link "link" to
// Secret, and one "linked" to the folder of Secret.
func init() {
	register(map[string]func(*World) string{
		"follow a link out of the workspace":   func(w *World) string { return open(filepath.Join(w.Folder, "link"), unix.O_RDONLY) },
		"follow a folder out of the workspace": func(w *World) string { return open(filepath.Join(w.Folder, "linked/secret"), unix.O_RDONLY) },
		"leave the workspace by dotdot": func(w *World) string {
			return open(w.Folder+"/"+strings.Repeat("../", 40)+w.Secret[1:], unix.O_RDONLY)
		},
		"read the workspace":     func(w *World) string { return open(filepath.Join(w.Folder, "plain"), unix.O_RDONLY) },
		"list the workspace":     func(w *World) string { return open(w.Folder, unix.O_RDONLY|unix.O_DIRECTORY) },
		"write to the workspace": func(w *World) string { return fill(filepath.Join(w.Folder, "new"), 1) },
		"change a file":          func(w *World) string { return open(filepath.Join(w.Folder, "plain"), unix.O_WRONLY|unix.O_TRUNC) },
		"rename a file": func(w *World) string {
			return said(unix.Rename(filepath.Join(w.Folder, "plain"), filepath.Join(w.Folder, "plain")))
		},
		"make a folder in the workspace": func(w *World) string {
			path := filepath.Join(w.Folder, "made")
			err := unix.Mkdir(path, 0o700)
			if err == nil {
				err = unix.Rmdir(path)
			}
			return said(err)
		},
		"keep a file in the workspace": func(w *World) string {
			return open(filepath.Join(w.Folder, "kept"), unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY)
		},
		"make a set-user-ID file": func(w *World) string {
			return created(w, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY, 0o4755, nil)
		},
		"make a set-group-ID file": func(w *World) string {
			return created(w, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY, 0o2755, nil)
		},
		"make a file set-user-ID": func(w *World) string {
			return created(w, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY, 0o755, func(fd int) error { return unix.Fchmod(fd, 0o4755) })
		},
		"make a file set-user-ID by its path": func(w *World) string {
			path := filepath.Join(w.Folder, "new")
			return created(w, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY, 0o755, func(int) error { return unix.Fchmodat(unix.AT_FDCWD, path, 0o4755, 0) })
		},
		"give a file away": func(w *World) string {
			return created(w, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY, 0o755, func(fd int) error { return unix.Fchown(fd, 0, 0) })
		},
		"give a file capabilities": func(w *World) string {
			return created(w, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY, 0o755, func(fd int) error { return unix.Fsetxattr(fd, "user.x", []byte("x"), 0) })
		},
		"make a huge file": func(w *World) string {
			return created(w, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY, 0o600, func(fd int) error { return unix.Ftruncate(fd, 2<<30) })
		},
		"map a file of the workspace as code": func(w *World) string {
			return created(w, unix.O_CREAT|unix.O_EXCL|unix.O_RDWR, 0o700, func(fd int) error {
				if _, err := unix.Write(fd, make([]byte, page)); err != nil {
					return err
				}
				at, err := mmap(page, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_PRIVATE, fd)
				if err == nil {
					_ = call(unix.SYS_MUNMAP, at, page)
				}
				return err
			})
		},
		"make a symbolic link in the workspace": func(w *World) string {
			return making(filepath.Join(w.Folder, "made"), func(p string) error { return unix.Symlink("/", p) })
		},
		"make a second name of a file": func(w *World) string {
			return making(filepath.Join(w.Folder, "made"), func(p string) error { return unix.Link(filepath.Join(w.Folder, "plain"), p) })
		},
		"make a pipe in the workspace": func(w *World) string {
			return making(filepath.Join(w.Folder, "made"), func(p string) error { return unix.Mkfifo(p, 0o600) })
		},
		"make a socket in the workspace": func(w *World) string {
			path := filepath.Join(w.Folder, "s")
			said := with(unix.AF_UNIX, unix.SOCK_STREAM, 0, func(fd int) error { return unix.Bind(fd, &unix.SockaddrUnix{Name: path}) })
			_ = unix.Unlink(path)
			return said
		},
	})
}

// created makes a file in the workspace, lets f have it, and removes it.
func created(w *World, flags int, mode uint32, f func(fd int) error) string {
	path := filepath.Join(w.Folder, "new")
	_ = unix.Unlink(path) // of an attack that did not live to do it
	fd, err := unix.Open(path, flags|unix.O_CLOEXEC, mode)
	if err != nil {
		return said(err)
	}
	defer func() { _ = unix.Unlink(path) }()
	defer unix.Close(fd)
	if f == nil {
		return OK
	}
	return said(f(fd))
}
