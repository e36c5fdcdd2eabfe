package audit

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Recorder takes decisions. Record returns an error when the decision is not on
// record; the caller must then refuse. It may be called concurrently.
type Recorder interface {
	Record(Entry) error
}

// Nop records nothing. It is for tests and for commands that decide nothing.
var Nop Recorder = nop{}

type nop struct{}

func (nop) Record(Entry) error { return nil }

// Rotation: a file that a record would push over maxBytes becomes .1, and so on;
// what would become .4 is deleted.
const (
	maxBytes = 64 << 20
	maxOld   = 3
)

// maxWait is how long a record waits for other hosts. A host that was stopped in
// the middle of a record must not stop the others for ever.
const maxWait = 2 * time.Second

// ErrBusy means that another process held the log for longer than a record waits.
var ErrBusy = errors.New("the audit log is held by another process")

// Log is an open audit log. It is safe for concurrent use.
type Log struct {
	path, host string
	maxBytes   int64
	now        func() time.Time

	mu   sync.Mutex // guards what follows
	file *os.File   // nil after Close
	seq  uint64
}

// Open opens or creates the log at path, with mode 0600, in a folder that is made
// with mode 0700 if it does not exist. The host's id tells apart the records of
// hosts that share a file.
func Open(path, host string) (*Log, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	l := &Log{path: path, host: host, maxBytes: maxBytes, now: time.Now}
	var err error
	if l.file, err = openFile(path); err != nil {
		return nil, err
	}
	return l, nil
}

// openFile refuses symbolic links and everything that is not a file: a record
// must not end in somebody else's file, and a pipe could block the host.
func openFile(path string) (*os.File, error) {
	const flags = os.O_WRONLY | os.O_APPEND | os.O_CREATE | unix.O_NOFOLLOW | unix.O_NONBLOCK
	f, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return nil, fmt.Errorf("audit log: %w", err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file but %s", path, info.Mode().Type())
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("audit log: %w", err)
	}
	return f, nil
}

// Record appends one decision. On an error nothing of it is in the file.
func (l *Log) Record(e Entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return fmt.Errorf("audit log: %w", os.ErrClosed)
	}
	line := encode(e, l.host, l.seq+1, l.now())
	size, err := l.lockCurrent()
	if err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	defer l.unlock()
	if err := l.append(line, size); err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	l.seq++
	return nil
}

// Close closes the file. Later records fail.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	f := l.file
	l.file = nil
	return f.Close()
}

// lockCurrent locks the file that is now at the path: another host may have
// rotated the one that is open here, or somebody may have deleted it. It gives the
// file's size, which nobody changes while it is locked.
//
// It is on the way of every call, twice, so it asks the kernel as little as it can,
// and without os.FileInfo, which is on the heap.
func (l *Log) lockCurrent() (size int64, err error) {
	deadline := time.Now().Add(maxWait)
	for {
		if err := flock(l.file, deadline); err != nil {
			return 0, err
		}
		var mine, there unix.Stat_t
		if err := unix.Fstat(int(l.file.Fd()), &mine); err != nil {
			l.unlock()
			return 0, os.NewSyscallError("fstat", err)
		}
		if err := unix.Lstat(l.path, &there); err == nil && mine.Dev == there.Dev && mine.Ino == there.Ino {
			return mine.Size, nil
		}
		if err := l.reopen(); err != nil {
			l.unlock()
			return 0, err
		}
	}
}

// unlock may find another file open than was locked first: rotating swaps them.
func (l *Log) unlock() { _ = unix.Flock(int(l.file.Fd()), unix.LOCK_UN) }

// reopen replaces the open file by the one at the path. Closing drops the lock.
func (l *Log) reopen() error {
	f, err := openFile(l.path)
	if err != nil {
		return err
	}
	_ = l.file.Close()
	l.file = f
	return nil
}

// append writes one line, in one write, into a locked file of that size.
func (l *Log) append(line []byte, size int64) error {
	if size > 0 && size+int64(len(line)) > l.maxBytes {
		var err error
		if size, err = l.rotate(); err != nil {
			return err
		}
	}
	n, err := l.file.Write(line)
	if err != nil && n > 0 { // a full disk: leave no half line for the next record to stick to
		err = errors.Join(err, l.file.Truncate(size))
	}
	return err
}

// rotate moves the locked file aside and locks a new one, of the size that it gives. The current file is
// moved last: until then no other host can rotate.
func (l *Log) rotate() (size int64, err error) {
	old := func(i int) string { return fmt.Sprintf("%s.%d", l.path, i) }
	for i := maxOld; i > 1; i-- {
		if err := os.Rename(old(i-1), old(i)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return 0, err
		}
	}
	if err := os.Rename(l.path, old(1)); err != nil {
		return 0, err
	}
	if err := l.reopen(); err != nil {
		return 0, err
	}
	return l.lockCurrent()
}

// flock waits for an exclusive lock. It asks again and again because a blocking
// flock has no deadline.
func flock(f *os.File, deadline time.Time) error {
	for pause := 50 * time.Microsecond; ; pause = min(2*pause, 5*time.Millisecond) {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, unix.EINTR):
		case !errors.Is(err, unix.EWOULDBLOCK):
			return os.NewSyscallError("flock", err)
		case time.Now().After(deadline):
			return ErrBusy
		default:
			time.Sleep(pause)
		}
	}
}
