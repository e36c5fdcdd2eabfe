package workspace

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// If says what a write depends on.
type If struct {
	// Absent: there is no such file yet.
	Absent bool
	// Version, if set: the file is still of this version.
	Version string
}

// Write makes the file's content be b, and its folders where they are missing.
func (w *Workspace) Write(p string, b []byte, on If) (Entry, error) {
	if int64(len(b)) > w.limits.File {
		return Entry{}, fmt.Errorf("%w: %q of %d bytes (maximum %d)", ErrLimit, p, len(b), w.limits.File)
	}
	at, done, err := w.change(p, true)
	if err != nil {
		return Entry{}, err
	}
	defer done()
	old, err := w.target(at, on)
	if err != nil {
		return Entry{}, err
	}
	mode, size, files := fs.FileMode(0o644), int64(0), 1
	if old != nil {
		mode, size, files = old.Mode().Perm(), old.Size(), 0
	}
	growth := int64(len(b)) - size
	if err := w.quota.take(growth, files); err != nil {
		return Entry{}, err
	}
	e, err := w.replace(at, b, mode)
	if err != nil {
		w.quota.give(growth, files)
	}
	return e, err
}

// replace writes beside the file, and puts what is complete and on the disk in
// its place.
func (w *Workspace) replace(at *place, b []byte, mode fs.FileMode) (Entry, error) {
	name := temporary + rand.Text()
	f, err := at.dir.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return Entry{}, translate(err, at.path)
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	var info fs.FileInfo
	if err == nil {
		info, err = f.Stat()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
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

// Append adds b to the end of the file, which is made if it is not there.
func (w *Workspace) Append(p string, b []byte, on If) (Entry, error) {
	at, done, err := w.change(p, true)
	if err != nil {
		return Entry{}, err
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
	if total := size + int64(len(b)); total > w.limits.File {
		return Entry{}, fmt.Errorf("%w: %q would have %d bytes (maximum %d)", ErrLimit, p, total, w.limits.File)
	}
	if err := w.quota.take(int64(len(b)), files); err != nil {
		return Entry{}, err
	}
	e, err := w.extend(at, b, old == nil)
	if err != nil {
		w.quota.give(int64(len(b)), files)
	}
	return e, err
}

func (w *Workspace) extend(at *place, b []byte, fresh bool) (Entry, error) {
	if fresh {
		return w.replace(at, b, 0o644)
	}
	f, _, err := w.open(at, os.O_WRONLY|os.O_APPEND)
	if err != nil {
		return Entry{}, err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	info, serr := f.Stat()
	if err = errors.Join(err, serr, f.Close()); err != nil {
		return Entry{}, translate(err, at.path)
	}
	return entry(info), nil
}

// Rename gives a file or folder another name. It does not replace anything.
func (w *Workspace) Rename(from, to string) error {
	at, done, err := w.change(from, false)
	if err != nil {
		return err
	}
	defer done()
	if _, err := w.look(at.dir, at.base(), from); err != nil {
		return err
	}
	into, err := w.walk(to, true)
	if err != nil {
		return err
	}
	defer w.leave(into)
	if len(into.names) == 0 {
		return fmt.Errorf("%w: %q is the workspace itself", ErrPath, to)
	}
	if err := renameAt(at.dir, at.base(), into.dir, into.base()); err != nil {
		return translate(err, to)
	}
	return nil
}

// Remove removes a file or an empty folder.
func (w *Workspace) Remove(p string, on If) error {
	at, done, err := w.change(p, false)
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

// change walks to what is to be changed, excluding everybody else until done.
func (w *Workspace) change(p string, mkdir bool) (at *place, done func(), err error) {
	if !w.cfg.Write {
		return nil, nil, fmt.Errorf("%w: the policy grants access = \"read\"", ErrReadOnly)
	}
	w.mu.Lock()
	at, err = w.walk(p, mkdir)
	if err == nil && len(at.names) == 0 {
		err = fmt.Errorf("%w: %q is the workspace itself", ErrPath, p)
	}
	if err != nil {
		w.mu.Unlock()
		return nil, nil, err
	}
	return at, func() { w.leave(at); w.mu.Unlock() }, nil
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
