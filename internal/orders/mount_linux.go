package orders

import "golang.org/x/sys/unix"

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
