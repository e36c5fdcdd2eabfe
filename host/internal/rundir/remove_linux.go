package rundir

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// removeTree removes name inside the folder at, whatever it is.
//
// What lies there was made by somebody who wants it to go wrong:
//   - a symlink, planted or swapped in while this runs, is removed and never
//     followed: every folder is opened by one name relative to an open
//     descriptor, with O_NOFOLLOW;
//   - a tree a hundred thousand folders deep takes neither stack nor
//     descriptors: folders found inside are moved up beside the first, so that
//     three descriptors do whatever the depth;
//   - a folder of mode 0 is opened up first.
func removeTree(at int, name string) error {
	for until := time.Now().Add(removeBound); ; {
		gone, err := removeRound(at, name, until)
		if err != nil {
			return fmt.Errorf("remove %s: %w", name, err)
		}
		if gone {
			return nil
		}
		if time.Now().After(until) {
			return fmt.Errorf("remove %s: %w after %v", name, errRefilled, removeBound)
		}
	}
}

// removeBound ends a race with somebody who keeps making files.
const removeBound = 30 * time.Second

var errRefilled = errors.New("somebody keeps writing into it")

// removeRound works until name is gone or has changed its nature.
func removeRound(at int, name string, until time.Time) (gone bool, err error) {
	if gone, err := unlinkPlain(at, name); gone || err != nil {
		return gone, err
	}
	top, err := openOwned(at, name)
	if err != nil {
		return false, unlessChanged(err)
	}
	defer top.Close()
	for moved := 0; time.Now().Before(until); {
		left, err := flatten(int(top.Fd()), top, &moved)
		if err != nil {
			return false, err
		}
		if left == 0 {
			break
		}
	}
	err = unix.Unlinkat(at, name, unix.AT_REMOVEDIR)
	return err == nil, unlessChanged(err)
}

// unlessChanged drops the errors that mean that an entry is no longer what it
// was a moment ago. The next round looks again.
func unlessChanged(err error) error {
	for _, changed := range []error{unix.ENOENT, unix.ENOTDIR, unix.ELOOP, unix.ENOTEMPTY, unix.EEXIST} {
		if errors.Is(err, changed) {
			return nil
		}
	}
	return err
}

// unlinkPlain removes name if it is not a folder, and reports whether it is
// gone.
func unlinkPlain(at int, name string) (bool, error) {
	err := unix.Unlinkat(at, name, 0)
	switch {
	case err == nil, errors.Is(err, unix.ENOENT):
		return true, nil
	case errors.Is(err, unix.EISDIR), errors.Is(err, unix.EPERM):
		return false, nil // EPERM is what POSIX says of a folder
	}
	return false, err
}

// openOwned opens a folder for emptying, and gives its owner all rights on it.
func openOwned(at int, name string) (*os.File, error) {
	// O_PATH needs no right on the folder itself; the mode is changed through
	// the descriptor, so that nothing can be swapped in between.
	fd, err := unix.Openat(at, name, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, err
	}
	if st.Mode&0o700 != 0o700 {
		if err := unix.Chmod("/proc/self/fd/"+strconv.Itoa(fd), 0o700); err != nil {
			return nil, err
		}
	}
	return openDir(fd, ".")
}

// flatten removes what is in dir: files at once; of each folder, what it holds,
// except that folders in it are moved up to top. It returns how many entries it
// has seen, so that 0 means empty.
func flatten(top int, dir *os.File, moved *int) (int, error) {
	if _, err := dir.Seek(0, io.SeekStart); err != nil {
		return 0, err
	}
	seen := 0
	for {
		names, err := dir.Readdirnames(256)
		for _, name := range names {
			seen++
			if err := flattenOne(top, int(dir.Fd()), name, moved); err != nil {
				return seen, err
			}
		}
		if errors.Is(err, io.EOF) || (err == nil && len(names) == 0) {
			return seen, nil
		}
		if err != nil {
			return seen, err
		}
	}
}

func flattenOne(top, at int, name string, moved *int) error {
	if done, err := unlinkPlain(at, name); done || err != nil {
		return err
	}
	sub, err := openOwned(at, name)
	if err != nil {
		return unlessChanged(err)
	}
	defer sub.Close()
	names, err := sub.Readdirnames(4096) // what is left over waits for the next round
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	for _, inner := range names {
		if done, err := unlinkPlain(int(sub.Fd()), inner); done || err != nil {
			if err != nil {
				return err
			}
			continue
		}
		if err := moveUp(int(sub.Fd()), inner, top, moved); err != nil {
			return err
		}
	}
	return unlessChanged(unix.Unlinkat(at, name, unix.AT_REMOVEDIR))
}

// moveUp moves a folder into top under a name that is not in use there. Moving
// a folder to another parent rewrites its "..", for which the kernel wants
// write permission on the folder itself.
func moveUp(at int, name string, top int, moved *int) error {
	f, err := openOwned(at, name)
	if err != nil {
		return unlessChanged(err)
	}
	_ = f.Close()
	for {
		*moved++
		err := unix.Renameat(at, name, top, ".gone-"+strconv.Itoa(*moved))
		// A name in use is passed over; an empty folder of that name may be
		// replaced, since it was to go anyway.
		if !errors.Is(err, unix.EEXIST) && !errors.Is(err, unix.ENOTEMPTY) && !errors.Is(err, unix.ENOTDIR) {
			return unlessChanged(err)
		}
	}
}
