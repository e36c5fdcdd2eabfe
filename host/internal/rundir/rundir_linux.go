package rundir

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

const (
	runName  = "run"
	recordIn = "pids"
	lockEnd  = ".lock"
	newEnd   = ".new"
	nameLen  = 16 // hex digits
)

// Dir is the private folder of one host. Its methods may be called at once.
type Dir struct {
	name  string
	path  string
	swept Swept
	self  origin

	mu   sync.Mutex
	run  *os.File // <base>/run
	dir  *os.File // <base>/run/<name>
	lock *os.File // <base>/run/<name>.lock
}

// Open makes the private folder of this host under base and clears up behind
// hosts that have died. The base folder is created if it does not exist; one
// that somebody else owns, or that group or world may write, is refused with
// ErrUnsafe.
func Open(base string) (*Dir, error) {
	real, run, err := openRun(base)
	if err != nil {
		return nil, err
	}
	self, err := ownOrigin()
	if err != nil {
		_ = run.Close()
		return nil, err
	}
	d := &Dir{run: run, self: self}
	d.swept = sweep(run, filepath.Join(real, runName), self)
	if err := d.create(filepath.Join(real, runName)); err != nil {
		_ = d.Close()
		return nil, fmt.Errorf("make a run folder in %s: %w", base, err)
	}
	return d, nil
}

// openRun checks base, then opens <base>/run.
func openRun(base string) (string, *os.File, error) {
	if err := os.MkdirAll(base, 0o700); err != nil {
		return "", nil, fmt.Errorf("make %s: %w", base, err)
	}
	real, err := filepath.Abs(base)
	if err == nil {
		real, err = filepath.EvalSymlinks(real)
	}
	if err != nil {
		return "", nil, fmt.Errorf("resolve %s: %w", base, err)
	}
	if err := checkAncestors(filepath.Dir(real)); err != nil {
		return "", nil, err
	}
	top, err := openPrivate(unix.AT_FDCWD, real, real)
	if err != nil {
		return "", nil, err
	}
	defer top.Close()
	fd := int(top.Fd())
	if err := unix.Mkdirat(fd, runName, 0o700); err != nil && !errors.Is(err, unix.EEXIST) {
		return "", nil, fmt.Errorf("make %s/%s: %w", real, runName, err)
	}
	run, err := openPrivate(fd, runName, filepath.Join(real, runName))
	if err != nil {
		return "", nil, err
	}
	return real, run, nil
}

// openPrivate opens a folder without following a symlink at its end and checks
// on the open descriptor that it is ours alone to write.
func openPrivate(at int, name, shown string) (*os.File, error) {
	f, err := openDir(at, name)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w: %w", shown, ErrUnsafe, err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("stat %s: %w", shown, err)
	}
	if me := os.Geteuid(); int(st.Uid) != me {
		_ = f.Close()
		return nil, fmt.Errorf("%s: %w: owned by uid %d, want %d", shown, ErrUnsafe, st.Uid, me)
	}
	if st.Mode&0o022 != 0 {
		_ = f.Close()
		return nil, fmt.Errorf("%s: %w: mode %#o lets others write; run chmod go-w on it",
			shown, ErrUnsafe, st.Mode&0o7777)
	}
	return f, nil
}

// checkAncestors refuses a path of which any part can be renamed by anybody: a
// world-writable folder without the sticky bit. Paths below are later given
// to exec, so a swapped parent would choose what runs.
func checkAncestors(path string) error {
	for {
		var st unix.Stat_t
		if err := unix.Stat(path, &st); err != nil {
			return fmt.Errorf("stat %s: %w", path, err)
		}
		if st.Mode&0o002 != 0 && st.Mode&unix.S_ISVTX == 0 {
			return fmt.Errorf("%s: %w: mode %#o lets anybody replace what is in it",
				path, ErrUnsafe, st.Mode&0o7777)
		}
		up := filepath.Dir(path)
		if up == path {
			return nil
		}
		path = up
	}
}

// create makes the lock and then the folder. See the package comment for the
// order.
func (d *Dir) create(runPath string) error {
	for range 64 {
		name, err := randomName()
		if err != nil {
			return err
		}
		lock, err := lockNew(int(d.run.Fd()), name)
		if errors.Is(err, errLostRace) {
			continue
		}
		if err != nil {
			return err
		}
		d.lock, d.name, d.path = lock, name, filepath.Join(runPath, name)
		if err := unix.Mkdirat(int(d.run.Fd()), name, 0o700); err != nil {
			return err
		}
		if d.dir, err = openDir(int(d.run.Fd()), name); err != nil {
			return err
		}
		return unix.Mkdirat(int(d.dir.Fd()), recordIn, 0o700)
	}
	return errLostRace
}

var errLostRace = errors.New("other hosts kept removing the lock file")

// lockNew creates a locked lock file, or returns errLostRace when a sweeper got
// at it before it was locked.
func lockNew(run int, name string) (*os.File, error) {
	f, err := openAt(run, name+newEnd, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, errLostRace
	}
	err = unix.Renameat2(run, name+newEnd, run, name+lockEnd, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		err = unix.Renameat(run, name+newEnd, run, name+lockEnd)
	}
	if err != nil {
		_ = f.Close()
		return nil, errLostRace
	}
	return f, nil
}

// Path returns the absolute path of the folder.
func (d *Dir) Path() string { return d.path }

// Swept tells what Open cleared up.
func (d *Dir) Swept() Swept { return d.swept }

// Sub makes a new folder in the run folder, mode 0700, and returns its path.
// The name is a single path element and must not be in use.
func (d *Dir) Sub(name string) (string, error) {
	if !plainName(name) || name == recordIn {
		return "", fmt.Errorf("make folder %q: not a plain file name", name)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dir == nil {
		return "", fmt.Errorf("make folder %s: %w", name, fs.ErrClosed)
	}
	if err := unix.Mkdirat(int(d.dir.Fd()), name, 0o700); err != nil {
		return "", fmt.Errorf("make folder %s: %w", name, err)
	}
	return filepath.Join(d.path, name), nil
}

// Remove removes what Sub made, with all that is in it.
func (d *Dir) Remove(name string) error {
	if !plainName(name) || name == recordIn {
		return fmt.Errorf("remove folder %q: not a plain file name", name)
	}
	d.mu.Lock()
	dir := d.dir
	if dir == nil {
		d.mu.Unlock()
		return nil // Close has removed everything
	}
	fd, err := unix.FcntlInt(dir.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	d.mu.Unlock()
	if err != nil {
		return fmt.Errorf("remove folder %s: %w", name, err)
	}
	defer unix.Close(fd)
	return removeTree(fd, name)
}

// Close removes the folder and gives up the lock. Processes that still run in
// it lose their sockets; end them first.
func (d *Dir) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.run == nil {
		return nil
	}
	var err error
	if d.dir != nil {
		_ = d.dir.Close()
	}
	if d.name != "" {
		err = removeTree(int(d.run.Fd()), d.name)
		if err == nil {
			_ = unix.Unlinkat(int(d.run.Fd()), d.name+lockEnd, 0)
		}
	}
	if d.lock != nil {
		_ = d.lock.Close()
	}
	_ = d.run.Close()
	d.run, d.dir, d.lock = nil, nil, nil
	return err
}

func randomName() (string, error) {
	var b [nameLen / 2]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", err
	}
	return hex.EncodeToString(b[:]), nil
}

// isRunName tells whether a sweeper may touch a name: only what create makes.
func isRunName(s string) bool {
	if len(s) != nameLen {
		return false
	}
	_, err := hex.DecodeString(s)
	return err == nil && s == strings.ToLower(s)
}

func plainName(s string) bool {
	return s != "" && s != "." && s != ".." && len(s) <= 200 && !strings.ContainsAny(s, "/\x00")
}

func openDir(at int, name string) (*os.File, error) {
	return openAt(at, name, unix.O_RDONLY|unix.O_DIRECTORY, 0)
}

// openAt opens without following a symlink at the end of name.
func openAt(at int, name string, flags int, mode uint32) (*os.File, error) {
	fd, err := unix.Openat(at, name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NONBLOCK, mode)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return os.NewFile(uintptr(fd), name), nil
}
