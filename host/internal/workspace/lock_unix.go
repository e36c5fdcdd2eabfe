//go:build unix

package workspace

import (
	"cmp"
	"context"
	"errors"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// lock keeps other calls, other workspaces of the same folders, in this host and in
// others, from changing what is in them. Whoever does not ask (an editor, a native
// plugin) is not kept.
//
// Two that need two folders take them in the same order.
//
// Attack: a process beside the host takes the lock of a folder and keeps it. Nothing
// but changes of that folder waits for it, and these no longer than their call.
func (w *Workspace) lock(ctx context.Context, dirs ...*os.Root) (unlock func(), err error) {
	var release []func()
	unlock = func() {
		for _, f := range slices.Backward(release) {
			f()
		}
	}
	type folder struct {
		f  *os.File
		id identifier
	}
	var folders []folder
	for _, dir := range dirs {
		f, err := dir.Open(".")
		if err != nil {
			unlock()
			return nil, translate(err, ".")
		}
		release = append(release, func() { _ = f.Close() })
		var s unix.Stat_t
		if err := unix.Fstat(int(f.Fd()), &s); err != nil {
			unlock()
			return nil, translate(err, ".")
		}
		folders = append(folders, folder{f, identifier{uint64(s.Dev), s.Ino}})
	}
	slices.SortFunc(folders, func(a, b folder) int {
		return cmp.Or(cmp.Compare(a.id.device, b.id.device), cmp.Compare(a.id.ino, b.id.ino))
	})
	end := time.Now().Add(w.limits.LockWait)
	for i, d := range folders {
		if i > 0 && d.id == folders[i-1].id {
			continue // locked
		}
		done, err := w.turns.take(ctx, d.id)
		if err == nil {
			release = append(release, done)
			err = flock(ctx, d.f, end)
		}
		if err != nil {
			unlock()
			return nil, err
		}
	}
	return unlock, nil
}

// flock has no deadline of its own, so it is polled.
func flock(ctx context.Context, f *os.File, end time.Time) error {
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR):
			return nil // a file system without locks: the turns have to do
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
