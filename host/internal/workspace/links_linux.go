package workspace

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// reachedWithoutLinks says whether a path leads to the folder that was opened without
// a symbolic link on the way. Folders on the way need not be readable.
func reachedWithoutLinks(path string, opened fs.FileInfo) error {
	if !filepath.IsAbs(path) {
		return fmt.Errorf("%s is not an absolute path", path)
	}
	const flags = unix.O_PATH | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := unix.Open("/", flags, 0)
	if err != nil {
		return err
	}
	for _, name := range strings.Split(strings.Trim(filepath.Clean(path), "/"), "/") {
		if name == "" {
			continue // the path is the root
		}
		next, err := unix.Openat(fd, name, flags, 0)
		_ = unix.Close(fd)
		if err != nil {
			return fmt.Errorf("%s: %q on the way is no folder, but perhaps a symbolic link: %w", path, name, err)
		}
		fd = next
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	found, err := f.Stat()
	if err == nil && !os.SameFile(found, opened) {
		err = fmt.Errorf("%s was exchanged while it was opened", path)
	}
	return err
}
