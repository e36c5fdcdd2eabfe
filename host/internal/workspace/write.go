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
	"time"
)

// If says what a write depends on.
type If struct {
	// Absent: there is no such file yet.
	Absent bool
	// Version, if set: the file is still of this version.
	Version string
}

// Content is what is written: exactly that many bytes.
type Content struct {
	From io.Reader
	Size int64
}

// Write makes the file's content be c, and its folders where they are missing.
func (w *Workspace) Write(ctx context.Context, p string, c Content, on If) (Entry, error) {
	if c.Size > w.limits.File {
		return Entry{}, fmt.Errorf("%w: %q of %d bytes (maximum %d)", ErrLimit, p, c.Size, w.limits.File)
	}
	at, done, err := w.change(ctx, p, on.Version == "")
	if err != nil {
		return Entry{}, gone(err, on)
	}
	defer done()
	old, err := w.target(at, on)
	if err != nil {
		return Entry{}, err
	}
	size, files := int64(0), 1
	if old != nil {
		size, files = old.Size(), 0
	}
	growth := c.Size - size
	if err := w.quota.take(growth, files); err != nil {
		return Entry{}, err
	}
	e, err := w.replace(at, c, old)
	if err != nil {
		w.quota.give(growth, files)
	}
	return e, err
}

// replace writes beside the file, and puts what is complete and on the disk in
// its place.
func (w *Workspace) replace(at *place, c Content, old fs.FileInfo) (Entry, error) {
	name := temporary + rand.Text()
	mode := fs.FileMode(0o644) // without what the host's umask takes from everybody
	if old != nil {
		mode = 0o600 // until it has that of the old one
	}
	f, err := at.dir.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return Entry{}, translate(err, at.path)
	}
	info, err := fill(f, c, old)
	if err = errors.Join(err, f.Close()); err == nil {
		err = at.dir.Rename(name, at.base())
	}
	if err != nil {
		_ = at.dir.Remove(name)
		return Entry{}, translate(err, at.path)
	}
	e := entry(info)
	e.Name = at.base()
	return e, nil
}

// fill makes a new file what it shall be, and later than what it replaces: the
// clock of a file system can stand still for longer than two writes take, and
// their versions must differ.
func fill(f *os.File, c Content, old fs.FileInfo) (fs.FileInfo, error) {
	if _, err := io.CopyN(f, c.From, c.Size); err != nil {
		return nil, err
	}
	now := time.Now()
	if old != nil {
		if now.Before(old.ModTime().Add(time.Microsecond)) {
			now = old.ModTime().Add(time.Microsecond)
		}
		if err := errors.Join(keepOwner(f, old), f.Chmod(old.Mode().Perm())); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(stamp(f, now), f.Sync()); err != nil {
		return nil, err
	}
	return f.Stat()
}

// Append adds c to the end of the file, which is made if it is not there.
func (w *Workspace) Append(ctx context.Context, p string, c Content, on If) (Entry, error) {
	at, done, err := w.change(ctx, p, on.Version == "")
	if err != nil {
		return Entry{}, gone(err, on)
	}
	defer done()
	old, err := w.target(at, on)
	if err != nil {
		return Entry{}, err
	}
	size, files := int64(0), 1
	if old != nil {
		size, files = old.Size(), 0
	}
	if total := size + c.Size; total > w.limits.File {
		return Entry{}, fmt.Errorf("%w: %q would have %d bytes (maximum %d)", ErrLimit, p, total, w.limits.File)
	}
	if err := w.quota.take(c.Size, files); err != nil {
		return Entry{}, err
	}
	e, err := w.extend(at, c, old)
	if err != nil {
		w.quota.give(c.Size, files)
	}
	return e, err
}

// extend adds all of c or, when the disk is full in the middle, nothing.
func (w *Workspace) extend(at *place, c Content, old fs.FileInfo) (Entry, error) {
	if old == nil {
		return w.replace(at, c, nil)
	}
	f, opened, err := w.open(at, os.O_WRONLY|os.O_APPEND)
	if err != nil {
		return Entry{}, err
	}
	if err = w.add(f, c, opened.Size()); err == nil {
		err = f.Sync()
	}
	info, serr := f.Stat()
	if err = errors.Join(err, serr, f.Close()); err != nil {
		return Entry{}, translate(err, at.path)
	}
	return entry(info), nil
}

// add puts c behind a file's content, while nobody reads it.
func (w *Workspace) add(f *os.File, c Content, size int64) error {
	w.appending.Lock()
	defer w.appending.Unlock()
	_, err := io.CopyN(f, c.From, c.Size)
	if err != nil {
		err = errors.Join(err, f.Truncate(size))
	}
	return err
}

// MakeFolder makes a folder and those that it is in. It may be there already.
func (w *Workspace) MakeFolder(ctx context.Context, p string) error {
	at, done, err := w.change(ctx, p, true)
	if err != nil {
		return err
	}
	defer done()
	dir, err := w.enter(at, at.base(), true)
	if err != nil {
		return err
	}
	return dir.Close()
}

// Rename gives a file or folder another name. It does not replace anything. The
// folders that the new name is in are made when there is nothing left to refuse.
func (w *Workspace) Rename(ctx context.Context, from, to string) error {
	if err := w.Admits(from, true); err != nil {
		return err
	}
	at, err := w.walk(from, false)
	if err != nil {
		return err
	}
	defer w.leave(at)
	info, err := w.look(at.dir, at.base(), from)
	if err != nil {
		return err
	}
	if err := w.renames(at, info, to); err != nil {
		return err
	}
	into, err := w.walk(to, true)
	if err != nil {
		return err
	}
	defer w.leave(into)
	unlock, err := w.lock(ctx, at.dir, into.dir)
	if err != nil {
		return fmt.Errorf("%w: %q", err, from)
	}
	defer unlock()
	if err := w.still(at, info); err != nil {
		return err
	}
	if err := renameAt(at.dir, at.base(), into.dir, into.base()); err != nil {
		return translate(err, to)
	}
	return nil
}

// still says whether what is at a place is what was judged, as long as its folder is
// locked.
//
// Attack: of two plugins with the same folder one renames a file to a name that the
// policy includes, and the other puts the folder of the keys in the file's place, which
// must not get such a name.
func (w *Workspace) still(at *place, judged fs.FileInfo) error {
	now, err := w.look(at.dir, at.base(), at.path)
	if err == nil && !os.SameFile(judged, now) {
		err = fmt.Errorf("%w: %q was exchanged", ErrChanged, at.path)
	}
	return err
}

// renames says whether what is at a place may get a new name. Whoever comes between
// this look and the renaming cannot make it replace anything.
func (w *Workspace) renames(at *place, info fs.FileInfo, to string) error {
	if err := w.Admits(to, true); err != nil {
		return err
	}
	names, _ := parse(to)
	switch {
	case len(at.names) == 0 || len(names) == 0:
		return fmt.Errorf("%w: the workspace itself cannot be renamed or replaced", ErrPath)
	case info.IsDir() && len(names) > len(at.names) && slices.Equal(names[:len(at.names)], at.names):
		return fmt.Errorf("%w: %q lies in %q itself", ErrPath, to, at.path)
	case info.IsDir() && (w.uncovers(names) || w.holds(at.names) || w.holds(names)):
		return fmt.Errorf("%w: %q: what is served in a folder of one of these names depends on the name, so no folder gets or loses it", ErrRefused, at.path)
	}
	into, err := w.walk(to, false)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	defer w.leave(into)
	if _, err = into.dir.Lstat(into.base()); err == nil {
		return fmt.Errorf("%w: %q", ErrExists, to)
	}
	return nil
}

// Remove removes a file or an empty folder.
func (w *Workspace) Remove(ctx context.Context, p string, on If) error {
	at, done, err := w.change(ctx, p, false)
	if err != nil {
		return err
	}
	defer done()
	info, err := w.look(at.dir, at.base(), p)
	if err != nil {
		return err
	}
	if on.Version != "" && (info.IsDir() || version(info) != on.Version) {
		return fmt.Errorf("%w: %q", ErrChanged, p)
	}
	if err := at.dir.Remove(at.base()); err != nil {
		return translate(err, p)
	}
	w.quota.give(entry(info).Size, 1)
	return nil
}

// change walks to what is to be changed, excluding everybody else from its folder
// until done.
func (w *Workspace) change(ctx context.Context, p string, mkdir bool) (at *place, done func(), err error) {
	if err := w.Admits(p, true); err != nil {
		return nil, nil, err
	}
	if at, err = w.walk(p, mkdir); err != nil {
		return nil, nil, err
	}
	unlock := func() {}
	if len(at.names) == 0 {
		err = fmt.Errorf("%w: %q is the workspace itself", ErrPath, p)
	} else if unlock, err = w.lock(ctx, at.dir); err != nil {
		err = fmt.Errorf("%w: %q", err, p)
	}
	if err != nil {
		w.leave(at)
		return nil, nil, err
	}
	return at, func() { unlock(); w.leave(at) }, nil
}

// gone is what it means to a write that depends on a version when even the folder is
// not there.
func gone(err error, on If) error {
	if on.Version != "" && errors.Is(err, ErrNotFound) {
		return fmt.Errorf("%w: it is gone", ErrChanged)
	}
	return err
}

// target is the file that a write goes to, or nil if there is none yet.
func (w *Workspace) target(at *place, on If) (fs.FileInfo, error) {
	info, err := w.look(at.dir, at.base(), at.path)
	switch {
	case errors.Is(err, ErrNotFound):
		if on.Version != "" {
			return nil, fmt.Errorf("%w: %q is gone", ErrChanged, at.path)
		}
		return nil, nil
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, fmt.Errorf("%w: %q is a folder", ErrKind, at.path)
	case on.Absent:
		return nil, fmt.Errorf("%w: %q", ErrExists, at.path)
	case on.Version != "" && version(info) != on.Version:
		return nil, fmt.Errorf("%w: %q", ErrChanged, at.path)
	}
	return info, nil
}
