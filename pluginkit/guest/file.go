package guest

import (
	"errors"
	"io"
	"io/fs"
	"time"
)

// Open implements fs.FS. A file is read from the host as it is needed; if others
// change it meanwhile, reading fails with ErrChanged. Closing is not needed.
func (f *Folder) Open(name string) (fs.File, error) {
	info, err := f.stat("open", name)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return &openFolder{openEntry: openEntry{info: info}, folder: f, name: name}, nil
	}
	return &openFile{openEntry: openEntry{info: info}, folder: f, name: name}, nil
}

// Stat implements fs.StatFS. Sys of what it returns is the file's version, a
// string, for Replace.
func (f *Folder) Stat(name string) (fs.FileInfo, error) { return f.stat("stat", name) }

func (f *Folder) stat(op, name string) (fs.FileInfo, error) {
	answer, _, err := f.do(fileRequest{operation: "stat", path: name}, nil)
	if err != nil {
		return nil, err
	}
	e, err := answer.only(op, name)
	if name == "." {
		e.name = "."
	}
	return fileInfo{e}, err
}

// ReadDir implements fs.ReadDirFS. Each entry's Info is known already, and asks
// nobody.
func (f *Folder) ReadDir(name string) ([]fs.DirEntry, error) {
	list := []fs.DirEntry{}
	for after := ""; ; {
		some, _, err := f.do(fileRequest{operation: "list", path: name, after: after}, nil)
		if err != nil {
			return list, err
		}
		for _, e := range some.entries {
			list = append(list, fs.FileInfoToDirEntry(fileInfo{e}))
		}
		if !some.more || len(some.entries) == 0 {
			return list, nil
		}
		after = some.entries[len(some.entries)-1].name
	}
}

type fileInfo struct{ entry }

func (i fileInfo) Name() string       { return i.name }
func (i fileInfo) Size() int64        { return i.size }
func (i fileInfo) ModTime() time.Time { return time.UnixMicro(i.modified) }
func (i fileInfo) IsDir() bool        { return i.folder }
func (i fileInfo) Sys() any           { return i.version }

func (i fileInfo) Mode() fs.FileMode {
	if i.folder {
		return fs.ModeDir | 0o777
	}
	return 0o666
}

// openEntry is what files and folders have in common when they are open.
type openEntry struct {
	info   fs.FileInfo
	closed bool
}

func (o *openEntry) Stat() (fs.FileInfo, error) { return o.info, o.alive("stat") }

func (o *openEntry) Close() error {
	err := o.alive("close")
	o.closed = true
	return err
}

func (o *openEntry) alive(op string) error {
	if o.closed {
		return &fs.PathError{Op: op, Path: o.info.Name(), Err: fs.ErrClosed}
	}
	return nil
}

// fileBuffer is how much of a file is asked for at least, since a request costs
// more than its bytes do.
const fileBuffer = 64 << 10

type openFile struct {
	openEntry
	folder *Folder
	name   string
	offset int64
	buffer []byte // from offset on
}

func (o *openFile) Read(p []byte) (int, error) {
	if err := o.alive("read"); err != nil || len(p) == 0 {
		return 0, err
	}
	if len(o.buffer) == 0 {
		piece, err := o.at(o.offset, max(len(p), fileBuffer))
		if err != nil {
			return 0, err
		}
		if o.buffer = piece; len(piece) == 0 {
			return 0, io.EOF
		}
	}
	n := copy(p, o.buffer)
	o.buffer, o.offset = o.buffer[n:], o.offset+int64(n)
	return n, nil
}

// ReadAt implements io.ReaderAt.
func (o *openFile) ReadAt(p []byte, offset int64) (n int, err error) {
	if err := o.alive("read"); err != nil {
		return 0, err
	}
	if offset < 0 {
		return 0, o.folder.failure("read", o.name, &Error{Text: "before the beginning", kind: ErrMalformed})
	}
	for n < len(p) {
		piece, err := o.at(offset+int64(n), len(p)-n)
		if err != nil {
			return n, err
		}
		if len(piece) == 0 {
			return n, io.EOF
		}
		n += copy(p[n:], piece)
	}
	return n, nil
}

// Seek implements io.Seeker.
func (o *openFile) Seek(offset int64, whence int) (int64, error) {
	if err := o.alive("seek"); err != nil {
		return 0, err
	}
	switch whence {
	case io.SeekCurrent:
		offset += o.offset
	case io.SeekEnd:
		offset += o.info.Size()
	}
	if offset < 0 {
		return 0, o.folder.failure("seek", o.name, &Error{Text: "before the beginning", kind: ErrMalformed})
	}
	o.offset, o.buffer = offset, nil
	return offset, nil
}

// at asks for a piece of the version that was opened.
func (o *openFile) at(offset int64, n int) ([]byte, error) {
	answer, data, err := o.folder.do(fileRequest{operation: "read", path: o.name, offset: offset, length: int64(min(n, filePiece))}, nil)
	if err != nil {
		return nil, err
	}
	e, err := answer.only("read", o.name)
	if err == nil && e.version != o.info.Sys() {
		err = o.folder.failure("read", o.name, &Error{Text: "it changed since it was opened", kind: ErrChanged})
	}
	return data, err
}

type openFolder struct {
	openEntry
	folder *Folder
	name   string
	rest   []fs.DirEntry
	read   bool
}

func (o *openFolder) Read([]byte) (int, error) {
	return 0, o.folder.failure("read", o.name, errors.New("it is a folder"))
}

// ReadDir implements fs.ReadDirFile.
func (o *openFolder) ReadDir(n int) ([]fs.DirEntry, error) {
	if err := o.alive("readdir"); err != nil {
		return nil, err
	}
	if !o.read {
		var err error
		if o.rest, err = o.folder.ReadDir(o.name); err != nil {
			return nil, err
		}
		o.read = true
	}
	if n <= 0 {
		all := o.rest
		o.rest = nil
		return all, nil
	}
	if len(o.rest) == 0 {
		return nil, io.EOF
	}
	some := o.rest[:min(n, len(o.rest))]
	o.rest = o.rest[len(some):]
	return some, nil
}
