//go:build unix

package state

import (
	"context"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// lock keeps other hosts from changing the file beside this one. The lock's own
// file stays: removing it while somebody waits for it would let two in.
func lock(ctx context.Context, path string, most time.Duration) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, err
	}
	if err := flock(ctx, f, time.Now().Add(most)); err != nil {
		_ = f.Close()
		return nil, err
	}
	return func() { _ = f.Close() }, nil
}

// flock has no deadline of its own, so it is polled.
func flock(ctx context.Context, f *os.File, end time.Time) error {
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR):
			return err
		case time.Now().After(end):
			return ErrBusy
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ErrEnded
		}
	}
}

// openFile opens the file for reading, and waits for nobody: it could be a pipe.
func openFile(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
}
