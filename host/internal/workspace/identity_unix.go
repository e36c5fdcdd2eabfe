//go:build unix

package workspace

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// identity is the file system that a file lies on and how many names it has.
func identity(info fs.FileInfo) (device, links uint64) {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0
	}
	return uint64(s.Dev), uint64(s.Nlink)
}

// version changes with the content: the inode when a file is replaced, size and
// time when it is written to.
func version(info fs.FileInfo) string {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	return fmt.Sprintf("%x-%x-%x", s.Ino, info.Size(), info.ModTime().UnixNano())
}

func wrongKind(err error) bool {
	return errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.EISDIR) || errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, syscall.ELOOP)
}

// openQuietly are flags that keep an open of a pipe from waiting, and of a
// terminal from becoming ours.
const openQuietly = syscall.O_NONBLOCK | syscall.O_NOCTTY | syscall.O_NOFOLLOW

// stamp sets the time at which a file was written, to the microsecond.
func stamp(f *os.File, at time.Time) error {
	t := unix.NsecToTimeval(at.UnixNano())
	return unix.Futimes(int(f.Fd()), []unix.Timeval{t, t})
}

// keepOwner gives a file the owner and group of the one that it replaces, if the host may:
// root takes nobody's files away.
func keepOwner(f *os.File, old fs.FileInfo) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	now, ok := info.Sys().(*syscall.Stat_t)
	was, known := old.Sys().(*syscall.Stat_t)
	if !ok || !known || now.Uid == was.Uid && now.Gid == was.Gid {
		return nil
	}
	if err := f.Chown(int(was.Uid), int(was.Gid)); !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return nil
}
