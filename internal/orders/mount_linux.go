package orders

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Open makes a detached mount of Path, without its attributes yet.
//
// Attack: a native plugin puts a symbolic link in the place of a folder of its
// workspace that is the workspace of another plugin, after the host has looked where
// that one leads.
func (m Mount) Open() (fd int, err error) {
	const flags = unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC
	if !m.NoLinks {
		fd, err = unix.OpenTree(unix.AT_FDCWD, string(m.Path), flags|unix.AT_SYMLINK_NOFOLLOW)
	} else {
		var folder int
		folder, err = unix.Openat2(unix.AT_FDCWD, string(m.Path), &unix.OpenHow{
			Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS})
		if errors.Is(err, unix.ELOOP) {
			return -1, fmt.Errorf("open %s: there is a symbolic link on the way: %w", m.Path, err)
		}
		if err == nil {
			fd, err = unix.OpenTree(folder, "", flags|unix.AT_EMPTY_PATH)
			_ = unix.Close(folder)
		}
	}
	if err != nil {
		return -1, fmt.Errorf("open_tree %s: %w", m.Path, err)
	}
	return fd, nil
}

// Attributes are those of the mount. It is private too: mounts made in the
// tree's place outside do not appear in it, nor the other way round.
func (m Mount) Attributes() *unix.MountAttr {
	set := uint64(unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV | unix.MOUNT_ATTR_NOSYMFOLLOW)
	if !m.Write {
		set |= unix.MOUNT_ATTR_RDONLY
	}
	if !m.Exec {
		set |= unix.MOUNT_ATTR_NOEXEC
	}
	return &unix.MountAttr{Attr_set: set, Propagation: unix.MS_PRIVATE}
}
