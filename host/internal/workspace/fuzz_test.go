package workspace

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
)

// Whatever a path is, it is refused or names something below the folder, part by
// part.
func FuzzPath(f *testing.F) {
	for _, p := range []string{"a/b", "../x", "a/../b", "/", ".", "a//b", "\x00", ".git/config", "A.PEM", "a/", strings.Repeat("d/", 40)} {
		f.Add(p)
	}
	open, err := Open(Config{Path: f.TempDir(), Include: []string{"public/*.pem"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, p string) {
		names, err := parse(p)
		if err != nil {
			if !errors.Is(err, ErrPath) {
				t.Errorf("%q: %v", p, err)
			}
			return
		}
		joined := strings.Join(names, "/")
		if joined != "" && !fs.ValidPath(joined) || strings.TrimSuffix(p, "/") != joined && p != "." && p != "" {
			t.Errorf("%q is read as %q", p, joined)
		}
		if _, err := open.Stat(p); len(names) > 0 && !errors.Is(err, ErrNotFound) && !errors.Is(err, ErrRefused) {
			t.Errorf("%q: %v", p, err)
		}
	})
}
