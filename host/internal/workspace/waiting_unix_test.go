//go:build unix

package workspace

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/internal/waiting"
)

// held takes the lock of a folder as a process beside the host would, until release or
// the end of the test.
func (w *world) held(folder string) (release func()) {
	w.t.Helper()
	f, err := os.Open(filepath.Join(w.dir, folder))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = f.Close() })
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		w.t.Fatal(err)
	}
	return func() { _ = f.Close() }
}

// Whoever takes the lock of a folder and keeps it stops changes of that folder, each
// until its call ends, and nothing else.
func TestALockThatIsKeptStopsNothingElse(t *testing.T) {
	w := newWorld(t, Config{Write: true, Limits: Limits{LockWait: time.Hour}})
	w.put("taken/file", "old")
	w.put("other/file", "old")
	w.held("taken")
	for name, change := range map[string]func(context.Context) error{
		"write": func(ctx context.Context) error {
			return second(w.open.Write(ctx, "taken/file", bytesOf([]byte("new")), If{}))
		},
		"append": func(ctx context.Context) error {
			return second(w.open.Append(ctx, "taken/file", bytesOf([]byte("new")), If{}))
		},
		"rename": func(ctx context.Context) error { return w.open.Rename(ctx, "taken/file", "other/moved") },
		"remove": func(ctx context.Context) error { return w.open.Remove(ctx, "taken/file", If{}) },
		"folder": func(ctx context.Context) error { return w.open.MakeFolder(ctx, "taken/folder") },
	} {
		ctx, cancel := context.WithCancel(context.Background())
		waits := waiting.New(ctx)
		ended := make(chan error, 1)
		go func() { ended <- change(waits) }()
		<-waits.Begun
		// One more waits for the same turn, and does not stop the rest either.
		behind := waiting.New(ctx)
		go func() { ended <- w.open.MakeFolder(behind, "taken/late") }()
		<-behind.Begun
		for _, file := range []string{"taken/file", "other/file"} {
			if got, err := w.read(file); got != "old" || err != nil {
				t.Errorf("%s: read %s: %q, %v", name, file, got, err)
			}
		}
		if list, _, err := w.open.List(context.Background(), "taken", "", 10); len(list) != 1 || err != nil {
			t.Errorf("%s: list: %v, %v", name, list, err)
		}
		if _, err := w.open.Write(context.Background(), "other/file", bytesOf([]byte("old")), If{}); err != nil {
			t.Errorf("%s: write elsewhere: %v", name, err)
		}
		cancel()
		for range 2 {
			if err := <-ended; !errors.Is(err, ErrEnded) {
				t.Errorf("%s: when its call ended: %v", name, err)
			}
		}
	}
	if len(everybodys.lines) != 0 {
		t.Errorf("%d folders are still waited for", len(everybodys.lines))
	}
}

// Two plugins with the same folder stand in one line for it, whatever they do there.
func TestPluginsTakeTurns(t *testing.T) {
	w := newWorld(t, Config{Write: true, Limits: Limits{LockWait: time.Hour}})
	other, err := Open(Config{Path: filepath.Dir(w.dir), Write: true, Limits: Limits{LockWait: time.Hour}})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	release := w.held("")
	ended := make(chan error, 2)
	for _, change := range []func(context.Context) error{
		func(ctx context.Context) error { return w.open.MakeFolder(ctx, "one") },
		func(ctx context.Context) error { return other.MakeFolder(ctx, filepath.Base(w.dir)+"/two") },
	} {
		waits := waiting.New(context.Background())
		go func() { ended <- change(waits) }()
		<-waits.Begun
	}
	everybodys.mu.Lock()
	if len(everybodys.lines) != 1 {
		t.Errorf("there are %d lines", len(everybodys.lines))
	}
	for _, l := range everybodys.lines {
		if l.users != 2 {
			t.Errorf("%d stand in line", l.users)
		}
	}
	everybodys.mu.Unlock()
	release()
	if err := errors.Join(<-ended, <-ended); err != nil {
		t.Error(err)
	}
}

// Without an end of its call a change waits for so long and no longer.
func TestWaitingForALockEnds(t *testing.T) {
	w := newWorld(t, Config{Write: true, Limits: Limits{LockWait: time.Millisecond}})
	w.put("taken/file", "old")
	w.held("taken")
	_, err := w.open.Write(context.Background(), "taken/file", bytesOf(nil), If{})
	w.wantErr(err, ErrBusy)
}
