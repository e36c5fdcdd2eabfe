//go:build unix

package state

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/internal/waiting"
)

// Whoever takes the lock of the file and keeps it stops changes, each until its call
// ends, and nobody who reads.
func TestALockThatIsKeptStopsOnlyChanges(t *testing.T) {
	s := New(Config{Dir: t.TempDir(), Owner: Owner{Name: "p"}, Size: 1 << 20, LockWait: time.Hour})
	if _, err := s.Set(context.Background(), "k", []byte("old"), If{}); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(s.path() + ".lock")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	for range 2 { // one waits for the lock, and one behind it
		waits := waiting.New(ctx)
		go func() {
			_, err := s.Set(waits, "k", []byte("new"), If{})
			ended <- err
		}()
		<-waits.Begun
	}
	if b, _, err := s.Get("k"); string(b) != "old" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	if list, _, err := s.List("", "", 10); len(list) != 1 || err != nil {
		t.Errorf("%v, %v", list, err)
	}
	cancel()
	for range 2 {
		if err := <-ended; !errors.Is(err, ErrEnded) {
			t.Errorf("when its call ended: %v", err)
		}
	}
	s.cfg.LockWait = time.Millisecond
	if err := s.Delete(context.Background(), "k", ""); !errors.Is(err, ErrBusy) {
		t.Errorf("without an end: %v", err)
	}
}
