//go:build unix

package modcache

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// Whoever can put files into the folder, or knows the key, chooses the code that
// a sandbox runs.
func TestAFolderOrKeyOfSomebodyElseIsRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		attack func(t *testing.T, dir string)
		root   bool // only root can set the scene
	}{
		"others can write the folder": {attack: func(t *testing.T, dir string) { must(t, os.Chmod(dir, 0o777)) }},
		"a group can write it":        {attack: func(t *testing.T, dir string) { must(t, os.Chmod(dir, 0o770)) }},
		"the folder is a link": {attack: func(t *testing.T, dir string) {
			must(t, os.Rename(dir, dir+".real"))
			must(t, os.Symlink(dir+".real", dir))
		}},
		"the folder is somebody else's": {root: true, attack: func(t *testing.T, dir string) { must(t, os.Chown(dir, 12345, 12345)) }},
		"the key is somebody else's": {root: true, attack: func(t *testing.T, dir string) {
			must(t, os.Chown(filepath.Join(dir, secretName), 12345, 12345))
		}},
		"the key is a link": {attack: func(t *testing.T, dir string) {
			key := filepath.Join(dir, secretName)
			must(t, os.Rename(key, key+".real"))
			must(t, os.Symlink(key+".real", key))
		}},
		"the key is a pipe": {attack: func(t *testing.T, dir string) {
			key := filepath.Join(dir, secretName)
			must(t, os.Remove(key))
			must(t, unix.Mkfifo(key, 0o600))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.root && os.Geteuid() != 0 {
				t.Skip("needs root")
			}
			dir := filepath.Join(t.TempDir(), "modules")
			if _, err := Open(dir, 1<<20); err != nil {
				t.Fatal(err)
			}
			tt.attack(t, dir)
			if _, err := Open(dir, 1<<20); err == nil {
				t.Fatal("it was opened")
			} else {
				t.Log(err)
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
