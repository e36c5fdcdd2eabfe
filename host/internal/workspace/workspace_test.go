package workspace

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// world is a workspace with something beside it that must not be reached.
type world struct {
	t    *testing.T
	dir  string // the workspace
	out  string // beside it
	open *Workspace
}

func newWorld(t *testing.T, cfg Config) *world {
	t.Helper()
	base := t.TempDir()
	w := &world{t: t, dir: filepath.Join(base, "granted"), out: filepath.Join(base, "outside")}
	for _, d := range []string{w.dir, w.out} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	w.put("../outside/secret", "outside")
	cfg.Path = w.dir
	open, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	w.open = open
	t.Cleanup(func() {
		if err := open.Close(); err != nil {
			t.Error(err)
		}
		if b, err := os.ReadFile(filepath.Join(w.out, "secret")); err != nil || string(b) != "outside" {
			t.Errorf("the file outside: %q, %v", b, err)
		}
		if list, _ := os.ReadDir(w.out); len(list) != 1 {
			t.Errorf("outside there are %v", list)
		}
	})
	return w
}

func (w *world) put(path, content string) {
	w.t.Helper()
	path = filepath.Join(w.dir, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) read(path string) (string, error) {
	b, _, err := w.open.Read(path, 0, 1<<16)
	return string(b), err
}

func bytesOf(b []byte) Content { return Content{bytes.NewReader(b), int64(len(b))} }

func (w *world) wantErr(err, want error) {
	w.t.Helper()
	if !errors.Is(err, want) {
		w.t.Errorf("error = %v, want %v", err, want)
	}
	if err != nil && strings.Contains(err.Error(), w.dir) {
		w.t.Errorf("the error names a path of the host's: %v", err)
	}
}

func TestFilesLiveAndDie(t *testing.T) {
	w := newWorld(t, Config{Write: true})
	e, err := w.open.Write(context.Background(), "a/b/one.txt", bytesOf([]byte("first")), If{Absent: true})
	if err != nil || e.Name != "one.txt" || e.Size != 5 || e.Version == "" || e.Dir {
		t.Fatalf("%+v, %v", e, err)
	}
	if s, err := w.open.Stat("a/b/one.txt"); err != nil || s != e {
		t.Errorf("stat %+v, %v; want %+v", s, err, e)
	}
	if e, err = w.open.Append(context.Background(), "a/b/one.txt", bytesOf([]byte(" and more")), If{Version: e.Version}); err != nil || e.Size != 14 {
		t.Errorf("append: %+v, %v", e, err)
	}
	if got, err := w.read("a/b/one.txt"); got != "first and more" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if b, _, err := w.open.Read("a/b/one.txt", 10, 4); string(b) != "more" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	if b, _, err := w.open.Read("a/b/one.txt", 1<<40, 4); len(b) != 0 || err != nil {
		t.Errorf("behind the end: %d, %v", len(b), err)
	}
	w.wantErr(second3(w.open.Read("a/b/one.txt", -1, 4)), ErrPath)
	if err := errors.Join(w.open.MakeFolder(context.Background(), "m/n"), w.open.MakeFolder(context.Background(), "m/n"), w.open.Remove(context.Background(), "m/n", If{}), w.open.Remove(context.Background(), "m", If{})); err != nil {
		t.Error(err)
	}
	w.wantErr(w.open.MakeFolder(context.Background(), "a/b/one.txt"), ErrKind)
	if err := w.open.Rename(context.Background(), "a/b/one.txt", "c/two.txt"); err != nil {
		t.Error(err)
	}
	w.wantErr(w.open.Remove(context.Background(), "a/b/one.txt", If{}), ErrNotFound)
	w.wantErr(w.open.Remove(context.Background(), "a", If{}), ErrKind) // it is not empty
	for _, p := range []string{"c/two.txt", "c", "a/b", "a/"} {
		if err := w.open.Remove(context.Background(), p, If{}); err != nil {
			t.Errorf("remove %s: %v", p, err)
		}
	}
	if list, more, err := w.open.List(context.Background(), "", "", 10); len(list) != 0 || more || err != nil {
		t.Errorf("left: %v, %v, %v", list, more, err)
	}
}

func TestReplacingKeepsTheMode(t *testing.T) {
	w := newWorld(t, Config{Write: true})
	w.put("script", "x")
	if err := os.Chmod(filepath.Join(w.dir, "script"), 0o750); err != nil {
		t.Fatal(err)
	}
	if _, err := w.open.Write(context.Background(), "script", bytesOf([]byte("y")), If{}); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(w.dir, "script")); err != nil || info.Mode().Perm() != 0o750 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestListsComeInPieces(t *testing.T) {
	w := newWorld(t, Config{Limits: Limits{Entries: 50}})
	for i := range 25 {
		w.put(fmt.Sprintf("f%02d", i), "x")
	}
	w.put("sub/inside", "x")
	w.put(".git/config", "x")
	w.put("bad\nname", "x")
	var names []string
	for after, more := "", true; more; {
		list, m, err := w.open.List(context.Background(), "", after, 10)
		if err != nil || len(list) == 0 {
			t.Fatal(list, err)
		}
		for _, e := range list {
			names = append(names, e.Name)
		}
		after, more = names[len(names)-1], m
	}
	if len(names) != 26 || names[0] != "f00" || names[25] != "sub" {
		t.Errorf("%d: %v", len(names), names)
	}
	for i := range 30 {
		w.put(fmt.Sprintf("g%02d", i), "x")
	}
	_, _, err := w.open.List(context.Background(), "", "", 10)
	w.wantErr(err, ErrLimit)
}

func TestReadOnlyIsReadOnly(t *testing.T) {
	w := newWorld(t, Config{})
	w.put("a", "x")
	_, err := w.open.Write(context.Background(), "a", bytesOf(nil), If{})
	w.wantErr(err, ErrReadOnly)
	_, err = w.open.Append(context.Background(), "a", bytesOf(nil), If{})
	w.wantErr(err, ErrReadOnly)
	w.wantErr(w.open.Rename(context.Background(), "a", "b"), ErrReadOnly)
	w.wantErr(w.open.Remove(context.Background(), "a", If{}), ErrReadOnly)
	if got, err := w.read("a"); got != "x" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

// Two that edit one file: the second learns of the first.
func TestAWriteDependsOnTheVersion(t *testing.T) {
	w := newWorld(t, Config{Write: true})
	first, err := w.open.Write(context.Background(), "n", bytesOf([]byte("0")), If{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.open.Write(context.Background(), "n", bytesOf(nil), If{Absent: true})
	w.wantErr(err, ErrExists)
	if _, err := w.open.Write(context.Background(), "n", bytesOf([]byte("1")), If{Version: first.Version}); err != nil {
		t.Error(err)
	}
	_, err = w.open.Write(context.Background(), "n", bytesOf([]byte("2")), If{Version: first.Version})
	w.wantErr(err, ErrChanged)
	w.wantErr(w.open.Remove(context.Background(), "n", If{Version: first.Version}), ErrChanged)
	_, err = w.open.Append(context.Background(), "gone", bytesOf(nil), If{Version: first.Version})
	w.wantErr(err, ErrChanged)

	const writers, times = 4, 25
	if _, err := w.open.Write(context.Background(), "n", bytesOf([]byte("0")), If{}); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range writers {
		// Each as another plugin, or another host, has it.
		open, err := Open(Config{Path: w.dir, Write: true})
		if err != nil {
			t.Fatal(err)
		}
		defer open.Close()
		all.Go(func() {
			for done := 0; done < times; {
				b, e, err := open.Read("n", 0, 20)
				if err != nil {
					t.Error(err)
					return
				}
				v, _ := strconv.Atoi(string(b))
				_, err = open.Write(context.Background(), "n", bytesOf([]byte(strconv.Itoa(v+1))), If{Version: e.Version})
				if err == nil {
					done++
				} else if !errors.Is(err, ErrChanged) {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	if got, _ := w.read("n"); got != strconv.Itoa(writers*times) {
		t.Errorf("counted to %s, want %d: a write was lost", got, writers*times)
	}
}

func TestLimitsSayBothNumbers(t *testing.T) {
	w := newWorld(t, Config{Write: true, Limits: Limits{File: 100, Growth: 150, Files: 3}})
	_, err := w.open.Write(context.Background(), "a", bytesOf(make([]byte, 101)), If{})
	w.wantErr(err, ErrLimit)
	if err == nil || !strings.Contains(err.Error(), "101") || !strings.Contains(err.Error(), "100") {
		t.Errorf("%v", err)
	}
	if _, err := w.open.Write(context.Background(), "a", bytesOf(make([]byte, 100)), If{}); err != nil {
		t.Fatal(err)
	}
	_, err = w.open.Append(context.Background(), "a", bytesOf([]byte("x")), If{})
	w.wantErr(err, ErrLimit)
	_, err = w.open.Write(context.Background(), "b", bytesOf(make([]byte, 60)), If{})
	w.wantErr(err, ErrLimit)
	if err := w.open.Remove(context.Background(), "a", If{}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.open.Write(context.Background(), "b", bytesOf(make([]byte, 60)), If{}); err != nil {
		t.Errorf("what was removed does not count: %v", err)
	}
	_, err = w.open.Write(context.Background(), "c/d/e", bytesOf(nil), If{}) // two folders and a file
	w.wantErr(err, ErrLimit)
}

// What a host left that died while it wrote is invisible, and goes; what somebody has
// called like that stays.
func TestAbandonedWritesGo(t *testing.T) {
	w := newWorld(t, Config{Write: true})
	old, late, own := temporary+rand.Text(), temporary+rand.Text(), temporary+"settings-for-my-own-tools"
	for _, name := range []string{old, late, own} {
		w.put(name, "half")
		if name == late {
			continue
		}
		if err := os.Chtimes(filepath.Join(w.dir, name), time.Now(), time.Now().Add(-2*abandoned)); err != nil {
			t.Fatal(err)
		}
	}
	if list, _, err := w.open.List(context.Background(), "", "", 10); len(list) != 0 || err != nil {
		t.Errorf("%v, %v", list, err)
	}
	if _, err := os.Stat(filepath.Join(w.dir, old)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
	for what, name := range map[string]string{"another host's write": late, "somebody's file": own} {
		if _, err := os.Stat(filepath.Join(w.dir, name)); err != nil {
			t.Errorf("%s was removed: %v", what, err)
		}
	}
	_, err := w.read(late)
	w.wantErr(err, ErrRefused)
}

func second3(_ []byte, _ Entry, err error) error { return err }

// Two that move things between the same two folders do not wait for each other for
// ever, and a change waits for those of others.
func TestChangesTakeTurns(t *testing.T) {
	w := newWorld(t, Config{Write: true})
	w.put("a/x", "x")
	w.put("b/y", "y")
	other, err := Open(Config{Path: w.dir, Write: true})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	var all sync.WaitGroup
	for open, names := range map[*Workspace][2]string{w.open: {"a/x", "b/x"}, other: {"b/y", "a/y"}} {
		all.Go(func() {
			for i := range 200 {
				if err := open.Rename(context.Background(), names[i%2], names[1-i%2]); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}

// A folder must not become one in which the policy lets more be seen.
func TestNoFolderUncoversWhatIsInIt(t *testing.T) {
	for include, refused := range map[string]bool{"public/*.pem": true, "public": true, "*.pem": false, "": false} {
		cfg := Config{Write: true}
		if include != "" {
			cfg.Include = []string{include}
		}
		w := newWorld(t, cfg)
		w.put("private/key.age", "key")
		err := w.open.Rename(context.Background(), "private", "public")
		if refused != errors.Is(err, ErrRefused) || !refused && err != nil {
			t.Errorf("with %q: %v", include, err)
		}
		if got, err := w.read("public/key.age"); err == nil {
			t.Errorf("with %q, what was refused is read: %q", include, got)
		}
	}
}

// A file is always younger than the one it replaces, even where the clock has stood
// still or was set back: of two versions with one inode and one size, only the time
// tells.
func TestWhatReplacesAFileIsYounger(t *testing.T) {
	w := newWorld(t, Config{Write: true})
	w.put("f", "1")
	later := time.Now().Add(time.Hour).Truncate(time.Microsecond)
	if err := os.Chtimes(filepath.Join(w.dir, "f"), later, later); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		e, err := w.open.Write(context.Background(), "f", bytesOf([]byte("2")), If{})
		if want := later.Add(time.Duration(i+1) * time.Microsecond); err != nil || e.Modified != want.UnixNano() {
			t.Errorf("%d: %v, want %v (%v)", i, time.Unix(0, e.Modified), want, err)
		}
	}
}

// What is refused leaves nothing behind.
func TestARefusedChangeMakesNoFolders(t *testing.T) {
	w := newWorld(t, Config{Write: true, Include: []string{"public/*.pem"}})
	w.put("file", "x")
	w.put("there/file", "x")
	w.put("d/file", "x")
	for name, err := range map[string]error{
		"a source that is not there": w.open.Rename(context.Background(), "nothing", "new/a"),
		"the workspace itself":       w.open.Rename(context.Background(), "", "new/a"),
		"a folder that would show":   w.open.Rename(context.Background(), "d", "new/public"),
		"a folder in itself":         w.open.Rename(context.Background(), "there", "there/new/a"),
		"a name that is taken":       w.open.Rename(context.Background(), "file", "there/file"),
		"a name that is refused":     w.open.Rename(context.Background(), "file", "new/.git"),
		"a version of nothing":       second(w.open.Write(context.Background(), "new/a", bytesOf(nil), If{Version: "1"})),
		"an end of nothing":          second(w.open.Append(context.Background(), "new/a", bytesOf(nil), If{Version: "1"})),
	} {
		if err == nil {
			t.Errorf("%s was not refused", name)
		}
	}
	for _, folder := range []string{"new", "there/new"} {
		if _, err := os.Lstat(filepath.Join(w.dir, folder)); err == nil {
			t.Errorf("%s was made", folder)
		}
	}
	w.wantErr(second(w.open.Write(context.Background(), "new/a", bytesOf(nil), If{Version: "1"})), ErrChanged)
	w.wantErr(w.open.Rename(context.Background(), "file", "there/file"), ErrExists)
	if err := w.open.Rename(context.Background(), "file", "new/file"); err != nil {
		t.Error(err)
	}
}

func second(_ Entry, err error) error { return err }

func TestAListEndsWithItsCall(t *testing.T) {
	w := newWorld(t, Config{})
	w.put("file", "x")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, _, err := w.open.List(ctx, "", "", 10)
	w.wantErr(err, ErrEnded)
}
