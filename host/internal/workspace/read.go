package workspace

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"
)

// Stat describes what a path stands for.
func (w *Workspace) Stat(p string) (Entry, error) {
	at, err := w.walk(p, false)
	if err != nil {
		return Entry{}, err
	}
	defer w.leave(at)
	info, err := w.look(at.dir, at.base(), p)
	if err != nil {
		return Entry{}, err
	}
	return entry(info), nil
}

// List returns at most n entries of a folder in the order of their names, those
// behind the name after. What is not served is not listed.
//
// Attack: a plugin has a folder listed that is full of names which are not served, and
// ends its call. The host works for nobody then.
func (w *Workspace) List(ctx context.Context, p, after string, n int) (entries []Entry, more bool, err error) {
	at, err := w.walk(p, false)
	if err != nil {
		return nil, false, err
	}
	defer w.leave(at)
	dir := at.dir
	if len(at.names) > 0 {
		if dir, err = w.enter(at, at.base(), false); err != nil {
			return nil, false, err
		}
		defer dir.Close()
	}
	names, err := w.names(dir, p)
	if err != nil {
		return nil, false, err
	}
	for _, name := range names {
		if ctx.Err() != nil {
			return nil, false, ErrEnded
		}
		if strings.HasPrefix(name, temporary) {
			w.sweep(dir, name)
		}
		whole := append(at.names[:len(at.names):len(at.names)], name)
		if name <= after || !w.served(whole) {
			continue
		}
		if _, err := parse(name); err != nil {
			continue // a name that no path can have
		}
		info, err := w.look(dir, name, name)
		if err != nil {
			continue // not served, or gone meanwhile
		}
		if len(entries) == n {
			return entries, true, nil
		}
		entries = append(entries, entry(info))
	}
	return entries, false, nil
}

// abandoned is how old a file must be that was never put in its place.
const abandoned = time.Hour

// sweep removes what a host left that died while it wrote, and nothing that somebody
// else has only called like that.
func (w *Workspace) sweep(dir *os.Root, name string) {
	info, err := dir.Lstat(name)
	if err == nil && isTemporary(name) && w.cfg.Write && info.Mode().IsRegular() && time.Since(info.ModTime()) > abandoned {
		_ = dir.Remove(name)
	}
}

// isTemporary says whether a name is one of replace's.
func isTemporary(name string) bool {
	rest, ok := strings.CutPrefix(name, temporary)
	return ok && len(rest) == len(rand.Text()) && strings.Trim(rest, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == ""
}

// names reads a folder, which may be anybody's and of any size.
func (w *Workspace) names(dir *os.Root, p string) ([]string, error) {
	f, err := dir.Open(".")
	if err != nil {
		return nil, translate(err, p)
	}
	defer f.Close()
	var names []string
	for {
		some, err := f.Readdirnames(1024)
		if names = append(names, some...); len(names) > w.limits.Entries {
			return nil, fmt.Errorf("%w: %q has more than %d entries", ErrLimit, p, w.limits.Entries)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, translate(err, p)
		}
	}
	slices.SortFunc(names, strings.Compare)
	return names, nil
}

// Read returns up to n bytes from the offset, and of which version of the file
// they are, so that pieces of two versions are not put together. At the end there
// are none.
func (w *Workspace) Read(p string, offset, n int64) ([]byte, Entry, error) {
	if offset < 0 || n < 0 {
		return nil, Entry{}, fmt.Errorf("%w: %q: %d bytes from %d", ErrPath, p, n, offset)
	}
	at, err := w.walk(p, false)
	if err != nil {
		return nil, Entry{}, err
	}
	defer w.leave(at)
	w.appending.RLock()
	defer w.appending.RUnlock()
	f, info, err := w.open(at, os.O_RDONLY)
	if err != nil {
		return nil, Entry{}, err
	}
	defer f.Close()
	b := make([]byte, max(0, min(n, info.Size()-min(offset, info.Size()))))
	got, err := f.ReadAt(b, offset)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, Entry{}, translate(err, p)
	}
	return b[:got], entry(info), nil
}

// openTries is how often a file is opened that others keep putting a new one in the
// place of: each time it takes them to be faster than two calls of the system.
const openTries = 20

// open opens a regular file that is the one which was looked at. Whoever only saves a
// file, as replace does, may come between once or twice.
func (w *Workspace) open(at *place, flag int) (f *os.File, opened fs.FileInfo, err error) {
	for range openTries {
		f, opened, err = w.openSeen(at, flag)
		if !errors.Is(err, errExchanged) {
			return f, opened, err
		}
	}
	return nil, nil, fmt.Errorf("%w: %q was exchanged", ErrRefused, at.path)
}

// errExchanged means that what was opened is not what was looked at.
var errExchanged = errors.New("exchanged")

func (w *Workspace) openSeen(at *place, flag int) (*os.File, fs.FileInfo, error) {
	seen, err := w.look(at.dir, at.base(), at.path)
	if err != nil {
		return nil, nil, err
	}
	if seen.IsDir() {
		return nil, nil, fmt.Errorf("%w: %q is a folder", ErrKind, at.path)
	}
	f, err := at.dir.OpenFile(at.base(), flag|openQuietly, 0)
	if err != nil {
		return nil, nil, translate(err, at.path)
	}
	opened, err := f.Stat()
	switch {
	case err != nil:
		err = translate(err, at.path)
	case !os.SameFile(seen, opened):
		err = errExchanged
	default:
		err = w.check(opened, at.path)
	}
	if err != nil {
		_ = f.Close()
		return nil, nil, err
	}
	return f, opened, nil
}
