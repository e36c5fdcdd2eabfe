//go:build unix

package workspace

import (
	"cmp"
	"errors"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// lockWait is how long a change waits for those of others, who hold the lock for
// one write each.
const lockWait = 5 * time.Second

// lock keeps other workspaces of the same folders, in this host and in others, from
// changing what is in them. Whoever does not ask (an editor, a native plugin) is
// not kept.
//
// Two that need two folders take them in the same order.
func lock(dirs ...*os.Root) (unlock func(), err error) {
	type folder struct {
		f           *os.File
		device, ino uint64
	}
	var folders []folder
	unlock = func() {
		for _, d := range folders {
			_ = d.f.Close()
		}
	}
	for _, dir := range dirs {
		f, err := dir.Open(".")
		if err != nil {
			unlock()
			return nil, translate(err, ".")
		}
		var s unix.Stat_t
		_ = unix.Fstat(int(f.Fd()), &s)
		folders = append(folders, folder{f, uint64(s.Dev), s.Ino})
	}
	slices.SortFunc(folders, func(a, b folder) int { return cmp.Or(cmp.Compare(a.device, b.device), cmp.Compare(a.ino, b.ino)) })
	end := time.Now().Add(lockWait)
	for i, d := range folders {
		if i > 0 && d.device == folders[i-1].device && d.ino == folders[i-1].ino {
			continue // locked
		}
		if err := flock(d.f, end); err != nil {
			unlock()
			return nil, err
		}
	}
	return unlock, nil
}

// flock has no deadline of its own, so it is polled.
func flock(f *os.File, end time.Time) error {
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR):
			return nil // a file system without locks: the mutex has to do
		case time.Now().After(end):
			return ErrBusy
		}
		time.Sleep(wait)
	}
}
