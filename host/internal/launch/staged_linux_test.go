package launch

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host/internal/stage"
)

// What was hashed is what runs: a source that is swapped after it was staged
// changes nothing, and one that was swapped before is refused.
func TestBinarySwappedAfterStaging(t *testing.T) {
	w := newWorld(t)
	source := filepath.Join(t.TempDir(), "plugin")
	b, err := os.ReadFile(hostile)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(source, b, 0o755); err != nil {
		t.Fatal(err)
	}
	into, err := w.dir.Sub("staged")
	if err != nil {
		t.Fatal(err)
	}
	files, err := stage.Stage(into, stage.Item{Path: source, Exec: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(source, []byte("#!/bin/sh\nexit 9\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	s := w.spec("good")
	s.Path = files[0].Path
	p := w.startSpec(s)
	if got, err := echo(t, p, "staged"); err != nil || got != "staged" {
		t.Errorf("echo = %q, %v", got, err)
	}
	p.Kill()
	if err := w.dir.Remove("staged"); err != nil {
		t.Error(err)
	}
	again, err := w.dir.Sub("again")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stage.Stage(again, stage.Item{Path: source, SHA256: files[0].SHA256}); !errors.Is(err, stage.ErrMismatch) {
		t.Errorf("the swapped source was staged under the old pin: %v", err)
	}
	if err := w.dir.Remove("again"); err != nil {
		t.Error(err)
	}
}

// Many at once, each killed while others start: descriptors and pipes of one
// must not end up in another.
func TestManyAtOnce(t *testing.T) {
	w := newWorld(t)
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			p, err := Start(t.Context(), w.spec("good"))
			if err != nil {
				t.Error(err)
				return
			}
			if got, err := echo(t, p, "x"); err != nil || got != "x" {
				t.Errorf("echo = %q, %v", got, err)
			}
			var twice sync.WaitGroup
			for range 3 {
				twice.Go(p.Kill)
			}
			if i%2 == 0 {
				_ = p.Stop(t.Context())
			}
			twice.Wait()
			select {
			case <-p.Done():
			default:
				t.Error("not done after Kill")
			}
		})
	}
	wg.Wait()
}

// A grandchild in a session of its own is out of reach (until there is a
// process namespace), but it cannot hide the death of the plugin by holding
// its pipes, nor keep anything of the host's.
func TestDetachedGrandchildHidesNothing(t *testing.T) {
	w := newWorld(t)
	p := w.start("children", "own-session")
	t.Cleanup(func() {
		for _, pid := range detached() {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	})
	if n := len(detached()); n < 3 {
		t.Fatalf("%d grandchildren run, want 3", n)
	}
	if err := unix.Kill(p.PID(), unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.Done():
	case <-time.After(time.Second):
		t.Fatal("death was hidden")
	}
	began := time.Now()
	p.Kill()
	if took := time.Since(began); took > killBound/2 {
		t.Errorf("Kill took %v", took)
	}
	for _, pid := range detached() {
		_ = unix.Kill(pid, unix.SIGKILL)
	}
}

// detached lists the sitting grandchildren by the plugin's path: the folder
// that they stand in may be gone.
func detached() []int {
	var found []int
	dirs, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, d := range dirs {
		if b, err := os.ReadFile(d); err == nil && (string(b) == hostile+"\x00sit\x00" || string(b) == "/hostile\x00sit\x00") {
			found = append(found, number(filepath.Base(filepath.Dir(d))))
		}
	}
	return found
}

func number(s string) (n int) {
	for _, c := range s {
		n = 10*n + int(c-'0')
	}
	return n
}
