package workspace

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"
	"time"
)

// Config is what a policy grants.
type Config struct {
	// Path is the folder on the host, absolute and free of symbolic links.
	Path string
	// Write allows changes.
	Write bool
	// Include names what is refused otherwise: patterns of path.Match, for the
	// whole path or, without a slash, for a name in any folder.
	Include []string
	Limits  Limits // zero fields mean the defaults
}

// Limits bound what a plugin can do to the host through the folder.
type Limits struct {
	File    int64 // bytes of a file that is written; default 16 MiB
	Growth  int64 // bytes that the folder may grow by, as long as it is open; default 256 MiB
	Files   int   // files and folders that may be added to it; default 10000
	Entries int   // of a folder that is listed, all pieces together; default 100000

	// LockWait is how long a change waits for those of others, who hold a folder for
	// one write each; default 5 s.
	LockWait time.Duration
}

func (l Limits) withDefaults() Limits {
	if l.File == 0 {
		l.File = 16 << 20
	}
	if l.Growth == 0 {
		l.Growth = 256 << 20
	}
	if l.Files == 0 {
		l.Files = 10_000
	}
	if l.Entries == 0 {
		l.Entries = 100_000
	}
	if l.LockWait == 0 {
		l.LockWait = 5 * time.Second
	}
	return l
}

// Workspace is an open folder. It is safe for concurrent use.
type Workspace struct {
	cfg    Config
	limits Limits
	root   *os.Root
	device uint64
	above  []string // see folded

	turns *turns
	quota quota

	// appending is held by whoever adds to a file or reads one, so that nobody reads
	// half of what is added. What waits for others never holds it.
	appending sync.RWMutex
}

// Open opens the folder, which must be there.
//
// Attack: somebody puts a symbolic link in the place of a folder on the way to it, after
// it was found out where the path leads.
func Open(cfg Config) (*Workspace, error) {
	for _, pattern := range cfg.Include {
		if _, err := path.Match(pattern, ""); err != nil {
			return nil, fmt.Errorf("include %q: %w", pattern, err)
		}
	}
	root, err := os.OpenRoot(cfg.Path + "/.") // see enter
	if err != nil {
		return nil, err
	}
	w := &Workspace{cfg: cfg, limits: cfg.Limits.withDefaults(), root: root, above: aboveOf(cfg.Path), turns: turnsOfHost()}
	w.quota = quota{bytes: w.limits.Growth, files: w.limits.Files}
	info, err := root.Stat(".")
	if err == nil {
		w.device, _ = identity(info)
		err = reachedWithoutLinks(cfg.Path, info)
	}
	if err != nil {
		_ = root.Close()
		return nil, err
	}
	return w, nil
}

// MaxFile is the largest file that is written, in bytes.
func (w *Workspace) MaxFile() int64 { return w.limits.File }

// Close ends all requests to come.
func (w *Workspace) Close() error { return w.root.Close() }

// Entry is a file or a folder.
type Entry struct {
	Name     string // the last name of its path
	Dir      bool
	Size     int64  // bytes; 0 for a folder
	Modified int64  // nanoseconds since 1970
	Version  string // changes when the content does; "" for a folder
}

func entry(info fs.FileInfo) Entry {
	e := Entry{Name: info.Name(), Dir: info.IsDir(), Modified: info.ModTime().UnixNano()}
	if !e.Dir {
		e.Size, e.Version = info.Size(), version(info)
	}
	return e
}

// place is a name in an open folder.
type place struct {
	dir   *os.Root // to be closed, unless it is the workspace's own
	names []string // of the whole path
	path  string
}

func (p *place) base() string {
	if len(p.names) == 0 {
		return "."
	}
	return p.names[len(p.names)-1]
}

func (w *Workspace) leave(p *place) {
	if p.dir != w.root {
		_ = p.dir.Close()
	}
}

// walk opens the folder that the path's last name is in, making folders on the
// way if it is told to.
//
// Attack: somebody exchanges a folder for a symbolic link between the look and
// the opening. os.Root would follow it as long as it stays inside, past a name
// that is refused; so what was opened must be what was seen.
func (w *Workspace) walk(p string, mkdir bool) (*place, error) {
	if err := w.Admits(p, false); err != nil {
		return nil, err
	}
	names, _ := parse(p)
	at := &place{dir: w.root, names: names, path: p}
	for i := range len(names) - 1 {
		next, err := w.enter(at, names[i], mkdir)
		w.leave(at)
		if err != nil {
			return nil, err
		}
		at.dir = next
	}
	return at, nil
}

// enter opens the folder of that name in a place, and makes it if it is told to.
func (w *Workspace) enter(at *place, name string, mkdir bool) (*os.Root, error) {
	seen, err := w.look(at.dir, name, at.path)
	if errors.Is(err, ErrNotFound) && mkdir {
		if err := w.quota.take(0, 1); err != nil {
			return nil, err
		}
		if err := at.dir.Mkdir(name, 0o755); err != nil {
			w.quota.give(0, 1)
			if !errors.Is(err, fs.ErrExist) { // else somebody was faster
				return nil, translate(err, at.path)
			}
		}
		seen, err = w.look(at.dir, name, at.path)
	}
	if err != nil {
		return nil, err
	}
	if !seen.IsDir() {
		return nil, fmt.Errorf("%w: %q: %q is not a folder", ErrKind, at.path, name)
	}
	// With its last name alone, OpenRoot would wait for ever for the other end of
	// a pipe that has taken the folder's place.
	next, err := at.dir.OpenRoot(name + "/.")
	if err != nil {
		return nil, translate(err, at.path)
	}
	opened, err := next.Stat(".")
	if err == nil && !os.SameFile(seen, opened) {
		err = fmt.Errorf("%w: %q: %q was exchanged", ErrRefused, at.path, name)
	}
	if err != nil {
		_ = next.Close()
		return nil, translate(err, at.path)
	}
	return next, nil
}

// look finds out what a name stands for, and refuses what is not served.
func (w *Workspace) look(dir *os.Root, name, p string) (fs.FileInfo, error) {
	info, err := dir.Lstat(name)
	if err != nil {
		return nil, translate(err, p)
	}
	return info, w.check(info, p)
}

func (w *Workspace) check(info fs.FileInfo, p string) error {
	device, links := identity(info)
	switch {
	case !info.IsDir() && !info.Mode().IsRegular():
		return fmt.Errorf("%w: %q: %s is no file and no folder", ErrRefused, p, kind(info.Mode()))
	case device != w.device:
		return fmt.Errorf("%w: %q: it lies on another file system", ErrRefused, p)
	case !info.IsDir() && links > 1:
		return fmt.Errorf("%w: %q: the file has %d names, and the others may be outside", ErrRefused, p, links)
	}
	return nil
}

func kind(m fs.FileMode) string {
	switch {
	case m&fs.ModeSymlink != 0:
		return "a symbolic link"
	case m&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	}
	return "a device"
}

// translate turns the system's word into ours; the guest learns nothing of the
// host's paths and kinds of failure.
func translate(err error, p string) error {
	for _, own := range []error{ErrPath, ErrNotFound, ErrRefused, ErrReadOnly, ErrKind, ErrExists, ErrChanged, ErrLimit, ErrBusy, ErrEnded, ErrHost} {
		if errors.Is(err, own) {
			return err
		}
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %q", ErrNotFound, p)
	case wrongKind(err): // first, since a folder that is not empty counts as existing too
		return fmt.Errorf("%w: %q", ErrKind, p)
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("%w: %q", ErrExists, p)
	case strings.HasSuffix(err.Error(), "path escapes from parent"): // os.Root's, which has no name
		return fmt.Errorf("%w: %q leads out of the workspace", ErrRefused, p)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: %q: the host itself may not", ErrRefused, p)
	}
	return &hostError{path: p, cause: err}
}

// hostError answers to ErrHost and hides its cause from whoever prints it.
type hostError struct {
	path  string
	cause error
}

func (e *hostError) Error() string        { return fmt.Sprintf("%v: %q", ErrHost, e.path) }
func (e *hostError) Is(target error) bool { return target == ErrHost }

// Cause is the host's own error behind err, for its log, or nil.
func Cause(err error) error {
	var e *hostError
	if errors.As(err, &e) {
		return e.cause
	}
	return nil
}
