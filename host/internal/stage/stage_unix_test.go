//go:build unix

package stage

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func write(t testing.TB, path string, b []byte) string {
	t.Helper()
	if err := os.WriteFile(path, b, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// folder makes one that the test's own clean-up can remove again.
func folder(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	t.Cleanup(func() {
		_ = filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
			if d != nil && d.IsDir() {
				_ = os.Chmod(p, 0o700)
			}
			return nil
		})
	})
	return dir
}

func TestStageKeepsLayoutAndModes(t *testing.T) {
	src, dir := t.TempDir(), folder(t)
	bin := write(t, filepath.Join(src, "plugin"), []byte("binary"))
	lib := write(t, filepath.Join(src, "libx.so"), bytes.Repeat([]byte("lib"), chunk))
	files, err := Stage(dir,
		Item{Path: bin, SHA256: strings.ToUpper(digest([]byte("binary"))), Exec: true},
		Item{Path: lib, As: "lib/libx.so"})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct {
		path string
		mode fs.FileMode
	}{{"plugin", 0o555}, {"lib/libx.so", 0o444}} {
		path := filepath.Join(dir, want.path)
		if files[i].Path != path {
			t.Errorf("path = %s, want %s", files[i].Path, path)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if digest(b) != files[i].SHA256 || int64(len(b)) != files[i].Size {
			t.Errorf("%s: digest or size of the copy is not the one reported", want.path)
		}
		if info, _ := os.Stat(path); info.Mode() != want.mode {
			t.Errorf("%s: mode %v, want %v", want.path, info.Mode(), want.mode)
		}
	}
	for _, d := range []string{"", "lib"} {
		if info, _ := os.Stat(filepath.Join(dir, d)); info.Mode().Perm() != 0o555 {
			t.Errorf("folder %q: mode %v, want 0555", d, info.Mode())
		}
	}
	write(t, bin, []byte("swapped")) // what was staged stays what it was
	if b, _ := os.ReadFile(files[0].Path); string(b) != "binary" {
		t.Errorf("the copy changed with its source: %q", b)
	}
}

func TestStageRefuses(t *testing.T) {
	src := t.TempDir()
	file := write(t, filepath.Join(src, "file"), []byte("content"))
	pipe := filepath.Join(src, "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		item Item
		want error
	}{
		"missing":            {Item{Path: filepath.Join(src, "none")}, fs.ErrNotExist},
		"folder":             {Item{Path: src}, ErrNotRegular},
		"named pipe":         {Item{Path: pipe}, ErrNotRegular},
		"device":             {Item{Path: "/dev/zero"}, ErrNotRegular},
		"too large":          {Item{Path: file, Max: 6}, ErrTooLarge},
		"lies about size":    {Item{Path: "/proc/self/status", Max: 10}, ErrTooLarge},
		"another digest":     {Item{Path: file, SHA256: digest([]byte("other"))}, ErrMismatch},
		"digest too short":   {Item{Path: file, SHA256: "abcd"}, nil},
		"digest no hex":      {Item{Path: file, SHA256: strings.Repeat("z", 64)}, nil},
		"copy outside":       {Item{Path: file, As: "../file"}, nil},
		"copy absolute":      {Item{Path: file, As: "/tmp/file"}, nil},
		"copy in odd folder": {Item{Path: file, As: "a/../file"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t)
			done := make(chan error, 1)
			go func() {
				_, err := Stage(dir, Item{Path: file, As: "lib/first"}, c.item)
				done <- err
			}()
			select {
			case err := <-done:
				if err == nil || (c.want != nil && !errors.Is(err, c.want)) {
					t.Errorf("error = %v, want %v", err, c.want)
				}
				if strings.Contains(err.Error(), "\n") {
					t.Errorf("error of more than one line: %q", err)
				}
			case <-time.After(5 * time.Second):
				t.Fatal("still waiting after 5s")
			}
			if left, _ := os.ReadDir(dir); len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestMismatchNamesBoth(t *testing.T) {
	file := write(t, filepath.Join(t.TempDir(), "file"), []byte("content"))
	want := digest([]byte("other"))
	_, err := Stage(folder(t), Item{Path: file, SHA256: want})
	var mismatch *MismatchError
	if !errors.As(err, &mismatch) || mismatch.Want != want || mismatch.Got != digest([]byte("content")) {
		t.Errorf("error = %v, want both digests", err)
	}
}

// A planted entry in the folder must not lead the copy elsewhere.
func TestStageDoesNotFollowPlantedSymlinks(t *testing.T) {
	src, dir, outside := t.TempDir(), folder(t), t.TempDir()
	file := write(t, filepath.Join(src, "file"), []byte("content"))
	for _, name := range []string{"file", "lib"} {
		if err := os.Symlink(filepath.Join(outside, name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Stage(dir, Item{Path: file}); err == nil {
		t.Error("staged through a symlink")
	}
	if _, err := Stage(dir, Item{Path: file, As: "lib/file"}); err == nil {
		t.Error("staged into a symlinked folder")
	}
	if left, _ := os.ReadDir(outside); len(left) != 0 {
		t.Errorf("written outside: %v", left)
	}
}

// What a start costs: a 15 MB binary and its 20 MB library, and for comparison
// the same bytes copied without a hash.
func BenchmarkStage35MB(b *testing.B) {
	src := b.TempDir()
	random := func(name string, n int) string {
		buf := make([]byte, n)
		_, _ = rand.Read(buf)
		return write(b, filepath.Join(src, name), buf)
	}
	bin, lib := random("bin", 15<<20), random("lib.so", 20<<20)
	b.Run("copy and hash", func(b *testing.B) {
		b.SetBytes(35 << 20)
		for b.Loop() {
			b.StopTimer()
			dir := folder(b)
			b.StartTimer()
			if _, err := Stage(dir, Item{Path: bin, Exec: true}, Item{Path: lib, As: "lib/lib.so"}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("copy only", func(b *testing.B) {
		b.SetBytes(35 << 20)
		for b.Loop() {
			b.StopTimer()
			dir := folder(b)
			b.StartTimer()
			for _, p := range []string{bin, lib} {
				data, err := os.ReadFile(p)
				if err != nil {
					b.Fatal(err)
				}
				write(b, filepath.Join(dir, filepath.Base(p)), data)
			}
		}
	})
}
