package orders

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// A workspace's path has no links when it is checked, and must have none when it is
// mounted.
func TestAMountWithoutLinksFollowsNone(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "real/sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for path, linked := range map[string]bool{"real": false, "real/sub": false, "link": true, "link/sub": true} {
		m := Mount{Path: Text(filepath.Join(dir, path)), NoLinks: true}
		fd, err := m.Open()
		if err == nil {
			_ = unix.Close(fd)
		}
		// Without the right to mount, one that has no links is refused for that.
		if loop := errors.Is(err, unix.ELOOP); loop != linked || err != nil && !loop && !errors.Is(err, unix.EPERM) {
			t.Errorf("%s: %v", path, err)
		}
	}
}
