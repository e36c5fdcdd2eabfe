//go:build unix

package modcache

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Lock waits until nobody else compiles the entry, and keeps others from it
// until unlock is called. A host that dies gives its locks back.
func (c *Cache) Lock(ctx context.Context, key Key) (unlock func(), err error) {
	// Locks share a few files, by the key's first byte: their number is
	// bounded, and removing a lock file that somebody waits on would let two in.
	path := filepath.Join(c.dir, fmt.Sprintf("lock-%02x", key[0]))
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock a compiled module: %w", err)
	}
	// flock has no deadline, so it is polled; a wait here is for a compilation
	// of seconds.
	for wait := time.Millisecond; ; wait = min(2*wait, 100*time.Millisecond) {
		locked, err := tryLock(f)
		if locked {
			return func() { f.Close() }, nil
		}
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("lock a compiled module: %w", err)
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, fmt.Errorf("wait for another host that compiles the same module: %w", context.Cause(ctx))
		case <-time.After(wait):
		}
	}
}

// tryLock locks a file until it is closed, unless somebody else has it locked.
func tryLock(f *os.File) (bool, error) {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) || errors.Is(err, unix.EINTR) {
		return false, nil
	}
	return err == nil, err
}
