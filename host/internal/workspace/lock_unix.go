//go:build unix

package workspace

import (
	"context"
	"errors"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// everybodys are the turns of all workspaces of this host.
//
// Attack: a plugin writes large files to a folder, many at once. Its own calls come one
// after the other, and the lock is free for a moment between two: another plugin with the
// same folder, if it had to poll for that moment, would rarely meet it.
var everybodys turns

func turnsOfHost() *turns { return &everybodys }

// lock keeps other calls, other workspaces of the same folders, in this host and in
// others, from changing what is in them. Whoever does not ask (an editor, a native
// plugin) is not kept.
//
// Nobody holds one folder while it waits for another: so two that need the same two
// never wait for each other, and who waits for one stops nothing in the other.
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
		if id := (identifier{uint64(s.Dev), s.Ino}); len(folders) == 0 || folders[0].id != id {
			folders = append(folders, folder{f, id})
		}
	}
	end := time.Now().Add(w.limits.LockWait)
	for {
		done, err := w.lockFirst(ctx, folders, end)
		if err == nil {
			release = append(release, done)
			return unlock, nil
		}
		if !errors.Is(err, errHeld) {
			unlock()
			return nil, err
		}
		slices.Reverse(folders) // wait for the one that is held
	}
}

// folder is an open folder that is to be locked.
type folder struct {
	f  *os.File
	id identifier
}

// errHeld means that another folder than the first is held by somebody.
var errHeld = errors.New("held")

// lockFirst waits for the first of one or two folders, and takes the second if it is
// free.
func (w *Workspace) lockFirst(ctx context.Context, folders []folder, end time.Time) (unlock func(), err error) {
	done, err := w.turns.take(ctx, folders[0].id)
	if err != nil {
		return nil, err
	}
	free := func() { unflock(folders[0].f); done() }
	if err := flock(ctx, folders[0].f, end); err != nil {
		done()
		return nil, err
	}
	if len(folders) == 1 {
		return free, nil
	}
	second, ok := w.turns.try(folders[1].id)
	if !ok {
		free()
		return nil, errHeld
	}
	if !tryFlock(folders[1].f) {
		second()
		free()
		return nil, errHeld
	}
	return func() { unflock(folders[1].f); second(); free() }, nil
}

func unflock(f *os.File) { _ = unix.Flock(int(f.Fd()), unix.LOCK_UN) }

// tryFlock takes the lock if nobody has it, or if the file system has no locks: then the
// turns have to do.
func tryFlock(f *os.File) bool {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	return err == nil || !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR)
}

// flock has no deadline of its own, so it is polled.
func flock(ctx context.Context, f *os.File, end time.Time) error {
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		if tryFlock(f) {
			return nil
		}
		if time.Now().After(end) {
			return ErrBusy
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ErrEnded
		}
	}
}
