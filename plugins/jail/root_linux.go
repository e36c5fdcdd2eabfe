package main

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/internal/orders"
)

// root leaves the host's file system: what is not mounted in the new root has
// no name any more, for no path, symlink or "..".
func (j *jail) root() (string, error) {
	if len(j.Mounts) == 0 {
		return "", errNotOrdered
	}
	// Without this, what is mounted here would appear outside, and pivot_root
	// refuses.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return "", fmt.Errorf("make mounts private: %w", err)
	}
	trees := make([]int, len(j.Mounts))
	for i, m := range j.Mounts {
		fd, err := j.tree(m)
		if err != nil {
			return "", err
		}
		trees[i] = fd
	}
	// The new root goes on top of the old one: the one folder that exists
	// everywhere and that every uid can reach.
	if err := unix.MoveMount(trees[0], "", unix.AT_FDCWD, "/", unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return "", fmt.Errorf("mount the root: %w", err)
	}
	for i, m := range j.Mounts[1:] {
		at := strings.TrimPrefix(m.At, "/")
		if err := unix.MoveMount(trees[i+1], "", trees[0], at, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
			return "", fmt.Errorf("mount %s: %w", m.At, err)
		}
	}
	if err := unix.Fchdir(trees[0]); err != nil {
		return "", fmt.Errorf("enter the root: %w", err)
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return "", fmt.Errorf("pivot_root: %w", err)
	}
	// The old root now lies on top of the new one. Detached, it is gone for
	// whoever has no descriptor in it; ours close at exec.
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return "", fmt.Errorf("unmount the host's root: %w", err)
	}
	if err := unix.Chdir("/"); err != nil {
		return "", fmt.Errorf("enter the root: %w", err)
	}
	return fmt.Sprintf("%d mounts", len(j.Mounts)), nil
}

// tree returns a detached mount. As real root with a user namespace the host
// makes it, since the uid in here cannot enter root's folders.
func (j *jail) tree(m orders.Mount) (int, error) {
	if m.Tree >= 0 {
		return j.files[len(j.Files)+m.Tree], nil
	}
	fd, err := m.Open()
	if err != nil {
		return -1, err
	}
	if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH, m.Attributes()); err != nil {
		return -1, fmt.Errorf("mount_setattr %s: %w", m.Path, err)
	}
	return fd, nil
}

// names empties the host's names, which the UTS namespace has copied.
func (j *jail) names() (string, error) {
	if !j.Names {
		return "", errNotOrdered
	}
	if err := unix.Sethostname([]byte("sandbox")); err != nil {
		return "", fmt.Errorf("sethostname: %w", err)
	}
	if err := unix.Setdomainname([]byte("sandbox")); err != nil {
		return "", fmt.Errorf("setdomainname: %w", err)
	}
	return "", nil
}
