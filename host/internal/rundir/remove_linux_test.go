package rundir

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// precious makes a folder outside with a file that must survive.
func precious(t *testing.T) (dir string, check func()) {
	t.Helper()
	dir = t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o555); err != nil {
		t.Fatal(err)
	}
	return dir, func() {
		t.Helper()
		if b, err := os.ReadFile(file); err != nil || string(b) != "precious" {
			t.Errorf("a symlink was followed: %q, %v", b, err)
		}
		if info, err := os.Stat(filepath.Join(dir, "folder")); err != nil || info.Mode().Perm() != 0o555 {
			t.Errorf("a symlink was followed: %v", err)
		}
	}
}

func TestRemoveTree(t *testing.T) {
	outside, check := precious(t)
	for name, make := range map[string]func(dir string){
		"empty":          func(string) {},
		"symlinks":       func(d string) { _ = os.Symlink(outside, d+"/a"); _ = os.Symlink(outside+"/file", d+"/b") },
		"symlink inside": func(d string) { _ = os.Mkdir(d+"/x", 0o700); _ = os.Symlink(outside, d+"/x/a") },
		"unreadable": func(d string) {
			_ = os.MkdirAll(d+"/x/y/z", 0o700)
			_ = os.WriteFile(d+"/x/y/z/f", nil, 0)
			_ = os.Chmod(d+"/x/y/z", 0)
			_ = os.Chmod(d+"/x/y", 0)
			_ = os.Chmod(d+"/x", 0)
			_ = os.Chmod(d, 0)
		},
		"read-only": func(d string) {
			_ = os.MkdirAll(d+"/lib", 0o700)
			_ = os.WriteFile(d+"/lib/f", nil, 0o400)
			_ = os.Chmod(d+"/lib", 0o500)
		},
		"wide": func(d string) {
			for i := range 1500 {
				_ = os.WriteFile(filepath.Join(d, strings.Repeat("n", i%50)+string(rune('a'+i%26))+itoa(i)), nil, 0o600)
			}
		},
		"names in use": func(d string) {
			_ = os.MkdirAll(d+"/x/.gone-1/.gone-1/.gone-2", 0o700)
			_ = os.MkdirAll(d+"/.gone-1/y", 0o700)
			_ = os.MkdirAll(d+"/.gone-2/y/z", 0o700)
		},
		"pipes and sockets": func(d string) { _ = unix.Mkfifo(d+"/p", 0o600); _ = unix.Mknod(d+"/s", unix.S_IFSOCK|0o600, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			top := t.TempDir()
			if err := os.Mkdir(filepath.Join(top, "tree"), 0o700); err != nil {
				t.Fatal(err)
			}
			make(filepath.Join(top, "tree"))
			remove(t, top, "tree")
			check()
		})
	}
	t.Run("a symlink itself", func(t *testing.T) {
		top := t.TempDir()
		_ = os.Symlink(outside, filepath.Join(top, "tree"))
		remove(t, top, "tree")
		check()
	})
	t.Run("a file", func(t *testing.T) {
		top := t.TempDir()
		_ = os.WriteFile(filepath.Join(top, "tree"), nil, 0)
		remove(t, top, "tree")
	})
	t.Run("nothing", func(t *testing.T) { remove(t, t.TempDir(), "tree") })
}

func itoa(i int) string {
	return string([]byte{byte('0' + i/1000%10), byte('0' + i/100%10), byte('0' + i/10%10), byte('0' + i%10)})
}

func remove(t *testing.T, top, name string) {
	t.Helper()
	dir, err := openDir(unix.AT_FDCWD, top)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if err := removeTree(int(dir.Fd()), name); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(top); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

// A tree far deeper than there are descriptors.
func TestRemoveDeepTree(t *testing.T) {
	top := t.TempDir()
	if err := os.Mkdir(filepath.Join(top, "tree"), 0o700); err != nil {
		t.Fatal(err)
	}
	at, err := unix.Open(filepath.Join(top, "tree"), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	for range 5000 {
		if err := unix.Mkdirat(at, "d", 0o700); err != nil {
			t.Fatal(err)
		}
		next, err := unix.Openat(at, "d", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		_ = unix.Close(at)
		at = next
	}
	_ = unix.Close(at)
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	few := unix.Rlimit{Cur: 64, Max: was.Max}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Setrlimit(unix.RLIMIT_NOFILE, &was) }()
	remove(t, top, "tree")
}

// Somebody swaps a folder for a symlink for as long as the removal runs.
func TestRemoveWhileSwapped(t *testing.T) {
	outside, check := precious(t)
	for range 40 {
		top := t.TempDir()
		tree := filepath.Join(top, "tree")
		for i := range 10 {
			_ = os.MkdirAll(filepath.Join(tree, "a"+itoa(i), "b"), 0o700)
		}
		_ = os.Symlink(outside, filepath.Join(tree, "link"))
		stop := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				for i := range 10 {
					_ = unix.Renameat2(unix.AT_FDCWD, tree+"/a"+itoa(i), unix.AT_FDCWD, tree+"/link", unix.RENAME_EXCHANGE)
				}
			}
		})
		remove(t, top, "tree")
		close(stop)
		wg.Wait()
	}
	check()
}
