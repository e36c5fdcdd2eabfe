package stage

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
)

// DefaultMax is the largest file that is staged when Item.Max is 0, in bytes.
const DefaultMax = 512 << 20

const chunk = 256 << 10

var (
	// ErrMismatch means that a file is not the one that was pinned.
	ErrMismatch = errors.New("SHA-256 differs from the pinned one")
	// ErrNotRegular means that a source is a folder, device, pipe or socket.
	ErrNotRegular = errors.New("not a regular file")
	// ErrTooLarge means that a source is larger than allowed.
	ErrTooLarge = errors.New("file is too large")
)

// MismatchError names both digests. It answers errors.Is(err, ErrMismatch).
type MismatchError struct{ Path, Want, Got string }

func (e *MismatchError) Error() string {
	return fmt.Sprintf("%s: %s: got %s, pinned %s", e.Path, ErrMismatch, e.Got, e.Want)
}

// Is makes the error answer to ErrMismatch.
func (e *MismatchError) Is(target error) bool { return target == ErrMismatch }

// Item is one file to copy.
type Item struct {
	Path   string // the source; a symlink is followed
	As     string // path of the copy in the folder; "" means the source's base name
	SHA256 string // 64 hex digits to compare with, or ""
	Exec   bool   // mode 0555 instead of 0444
	Folder bool   // an empty folder As, where something can be mounted; no Path
	Max    int64  // largest size in bytes; 0 means DefaultMax
}

// File is one staged copy.
type File struct {
	Path   string // absolute if the folder was
	SHA256 string // 64 lower-case hex digits
	Size   int64
}

// Stage copies the items into the folder dir, which must exist and hold nothing
// of the same names, and makes the folder read-only. On an error it leaves
// nothing of its own behind.
func Stage(dir string, items ...Item) ([]File, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("stage: %w", err)
	}
	defer root.Close()
	s := staging{root: root, dir: dir}
	files, err := s.all(items)
	if err == nil {
		err = s.seal()
	}
	if err != nil {
		s.undo()
		return nil, fmt.Errorf("stage: %w", err)
	}
	return files, nil
}

type staging struct {
	root *os.Root
	dir  string
	made []string // files and folders, in the order of making
	dirs []string
}

// all copies the items side by side: hashing is what takes the time, and a
// binary and its library are about the same size.
func (s *staging) all(items []Item) ([]File, error) {
	files, errs := make([]File, len(items)), make([]error, len(items))
	var wg sync.WaitGroup
	for i, item := range items {
		if item.Folder {
			if errs[i] = s.folder(item); errs[i] != nil {
				break
			}
			continue
		}
		p, err := s.open(item)
		if err != nil {
			errs[i] = err
			break
		}
		wg.Go(func() { files[i], errs[i] = p.run() })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err // the first is enough for a message of one line
		}
	}
	return files, nil
}

// pair is one copy under way.
type pair struct {
	item Item
	want string // pinned digest in lower case, or ""
	path string
	src  *os.File
	dst  *os.File
}

// open checks the item and opens both ends.
func (s *staging) open(item Item) (*pair, error) {
	want := strings.ToLower(item.SHA256)
	if raw, err := hex.DecodeString(want); err != nil || (want != "" && len(raw) != sha256.Size) {
		return nil, fmt.Errorf("%s: pinned SHA-256 %.80q: want 64 hex digits", item.Path, item.SHA256)
	}
	as := item.As
	if as == "" {
		as = filepath.Base(item.Path)
	}
	if err := checkTarget(item.Path, as); err != nil {
		return nil, err
	}
	src, err := openRegular(item)
	if err != nil {
		return nil, err
	}
	if err := s.parents(as); err != nil {
		_ = src.Close()
		return nil, err
	}
	dst, err := s.root.OpenFile(as, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o400)
	if err != nil {
		_ = src.Close()
		return nil, err
	}
	s.made = append(s.made, as)
	return &pair{item: item, want: want, path: filepath.Join(s.dir, as), src: src, dst: dst}, nil
}

func checkTarget(path, as string) error {
	if !filepath.IsLocal(as) || filepath.Clean(as) != as || as == "." {
		return fmt.Errorf("%s: copy to %q: want a relative path inside the folder", path, as)
	}
	return nil
}

// folder makes an empty folder.
func (s *staging) folder(item Item) error {
	if err := checkTarget("folder", item.As); err != nil {
		return err
	}
	if err := s.parents(item.As); err != nil {
		return err
	}
	if err := s.root.Mkdir(item.As, 0o700); err != nil {
		return err
	}
	s.made, s.dirs = append(s.made, item.As), append(s.dirs, item.As)
	return nil
}

func (p *pair) run() (File, error) {
	defer p.src.Close()
	got, size, err := p.copy()
	if err == nil && !p.item.Exec {
		err = p.dst.Chmod(0o444)
	} else if err == nil {
		err = p.dst.Chmod(0o555)
	}
	if err := errors.Join(err, p.dst.Close()); err != nil {
		return File{}, err
	}
	if p.want != "" && got != p.want {
		return File{}, &MismatchError{Path: p.item.Path, Want: p.want, Got: got}
	}
	return File{Path: p.path, SHA256: got, Size: size}, nil
}

// openRegular opens the source once. O_NONBLOCK keeps a named pipe from holding
// us until somebody writes to it.
func openRegular(item Item) (*os.File, error) {
	f, err := os.OpenFile(item.Path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s: %w", item.Path, ErrNotRegular)
	}
	if err == nil && info.Size() > item.max() {
		err = fmt.Errorf("%s: %w: %d bytes (maximum %d)", item.Path, ErrTooLarge, info.Size(), item.max())
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

func (i Item) max() int64 {
	if i.Max > 0 {
		return i.Max
	}
	return DefaultMax
}

// copy writes and hashes each piece of the source. The size is bounded again:
// the file may grow while it is read.
func (p *pair) copy() (string, int64, error) {
	h, buf := sha256.New(), make([]byte, chunk)
	var size int64
	for {
		n, err := p.src.Read(buf)
		if size += int64(n); size > p.item.max() {
			return "", 0, fmt.Errorf("%s: %w: grew past %d bytes", p.item.Path, ErrTooLarge, p.item.max())
		}
		h.Write(buf[:n])
		if _, err := p.dst.Write(buf[:n]); err != nil {
			return "", 0, err
		}
		if errors.Is(err, io.EOF) {
			return hex.EncodeToString(h.Sum(nil)), size, nil
		}
		if err != nil {
			return "", 0, err
		}
	}
}

func (s *staging) parents(as string) error {
	for i, c := range as {
		if c != filepath.Separator {
			continue
		}
		err := s.root.Mkdir(as[:i], 0o700)
		if errors.Is(err, os.ErrExist) {
			continue
		}
		if err != nil {
			return err
		}
		s.made, s.dirs = append(s.made, as[:i]), append(s.dirs, as[:i])
	}
	return nil
}

// seal takes the right to write from the folders. Others may read, since a
// sandbox has a uid of its own; what keeps them out is the folder above.
func (s *staging) seal() error {
	for _, d := range append(s.dirs, ".") {
		if err := s.root.Chmod(d, 0o555); err != nil {
			return err
		}
	}
	return nil
}

func (s *staging) undo() {
	for _, d := range append([]string{"."}, s.dirs...) {
		_ = s.root.Chmod(d, 0o700)
	}
	for i := len(s.made) - 1; i >= 0; i-- {
		_ = s.root.Remove(s.made[i])
	}
}
