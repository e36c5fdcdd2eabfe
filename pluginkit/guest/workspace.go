package guest

import (
	"errors"
	"io/fs"
	"strconv"

	"github.com/ringfence/ringfence/pluginkit/internal/abi"
	"github.com/ringfence/ringfence/pluginkit/internal/shape"
)

// Folder is a workspace: a folder of the host's that the policy grants. It is an
// fs.FS (and ReadDirFS, ReadFileFS, StatFS), and can be written to where the policy
// says so (workspace "notes" { access = "write" }).
//
// Names are as everywhere in io/fs: relative, with slashes, "." for the folder
// itself. There are files and folders and nothing else; keys, environment files and
// version control are not there unless the policy names them.
//
// Errors are *fs.PathError around an *Error. errors.Is knows them by the names of
// both packages: ErrDenied is fs.ErrPermission, ErrNotFound fs.ErrNotExist,
// ErrExists fs.ErrExist, ErrMalformed fs.ErrInvalid. Others are ErrChanged, ErrLimit,
// ErrTimeout (somebody else changes the folder all the time), ErrHost.
//
// The others who use the folder, other calls of the plugin among them, can change
// it at any time. Every file has a version, which changes when the file does:
// [Folder.Replace] writes only over the version that was read, [Folder.Create]
// only where there is nothing, [Folder.Append] adds without reading, and
// [Folder.Update] puts these together.
type Folder struct {
	host abi.Host // nil is the one in use
	name string
}

// Workspace is the workspace that the policy grants under that name. Whether it
// does shows when it is used.
func Workspace(name string) *Folder { return &Folder{name: name} }

// filePiece is how much of a file is asked for at a time: what goes over a ring in one
// message. Larger ones travel in pieces and take longer.
const filePiece = 256 << 10

// maxTries is how often something is begun anew that others have changed meanwhile.
const maxTries = 10

// ReadFile implements fs.ReadFileFS. What it returns was the file's content at one
// moment.
func (f *Folder) ReadFile(name string) ([]byte, error) {
	content, _, err := f.Read(name)
	return content, err
}

// Read is ReadFile with the version of the file, for Replace.
func (f *Folder) Read(name string) (content []byte, version string, err error) {
	for try := 0; ; try++ {
		content, version, err = f.readOnce(name)
		if !errors.Is(err, ErrChanged) || try == maxTries {
			return content, version, err
		}
	}
}

func (f *Folder) readOnce(name string) (content []byte, version string, err error) {
	for {
		r := fileRequest{operation: "read", path: name, offset: int64(len(content)), length: filePiece}
		piece, data, err := f.do(r, nil)
		if err != nil {
			return nil, "", err
		}
		e, err := piece.only("read", name)
		switch {
		case err != nil:
			return nil, "", err
		case version != "" && e.version != version:
			return nil, "", f.failure("read", name, &Error{Text: "it changed while it was read", kind: ErrChanged})
		}
		version = e.version
		if content = append(content, data...); len(data) == 0 || int64(len(content)) >= e.size {
			return content, version, nil
		}
	}
}

// WriteFile makes the content of a file, and the folders that it is in. Readers see
// the old content or the new, never a part.
func (f *Folder) WriteFile(name string, content []byte) error {
	_, err := f.write(fileRequest{operation: "write", path: name}, content)
	return err
}

// Create is WriteFile where there is no such file yet; else the error is ErrExists.
func (f *Folder) Create(name string, content []byte) error {
	_, err := f.write(fileRequest{operation: "write", path: name, absent: true}, content)
	return err
}

// Replace is WriteFile where the file still is of that version, as Read and
// FileInfo.Sys give it; else the error is ErrChanged. It returns the new version.
func (f *Folder) Replace(name string, content []byte, version string) (string, error) {
	if version == "" {
		return "", f.failure("write", name, &Error{Text: "replace a file of no version", kind: ErrMalformed})
	}
	return f.write(fileRequest{operation: "write", path: name, version: version}, content)
}

// Append adds to the end of a file, at once, and makes it if it is not there.
func (f *Folder) Append(name string, content []byte) error {
	_, err := f.write(fileRequest{operation: "append", path: name}, content)
	return err
}

// Update reads a file, has change make the new content of the old, and writes that
// unless somebody else has changed the file meanwhile: then it begins anew, up to
// ten times. Of a file that is not there the old content is nil. An error of change
// ends it, and is returned as it is.
func (f *Folder) Update(name string, change func(old []byte) ([]byte, error)) error {
	for try := 0; ; try++ {
		old, version, err := f.Read(name)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		there := err == nil
		content, err := change(old)
		if err != nil {
			return err
		}
		if there {
			_, err = f.Replace(name, content, version)
		} else {
			err = f.Create(name, content)
		}
		if !errors.Is(err, ErrChanged) && !errors.Is(err, ErrExists) || try == maxTries {
			return err
		}
	}
}

// Rename gives a file or a folder another name, and makes the folders that the new
// name is in. It replaces nothing: where there is something, the error is ErrExists.
func (f *Folder) Rename(from, to string) error {
	if !fs.ValidPath(to) {
		return f.failure("rename", to, badName())
	}
	_, _, err := f.do(fileRequest{operation: "rename", path: from, to: to}, nil)
	return err
}

// Remove removes a file or an empty folder.
func (f *Folder) Remove(name string) error {
	_, _, err := f.do(fileRequest{operation: "remove", path: name}, nil)
	return err
}

// MkdirAll makes a folder and those that it is in, as far as they are not there.
func (f *Folder) MkdirAll(name string) error {
	_, _, err := f.do(fileRequest{operation: "make_folder", path: name}, nil)
	return err
}

// write sends content, in pieces first if it is large.
func (f *Folder) write(r fileRequest, content []byte) (version string, err error) {
	if len(content) > abi.MaxPiece {
		staged, err := f.stage(r, content)
		if err != nil {
			return "", err
		}
		defer staged.Close()
		r.staged, content = staged.handle, nil
	}
	answer, _, err := f.do(r, content)
	if err != nil {
		return "", err
	}
	e, err := answer.only(r.operation, r.path)
	return e.version, err
}

// stage hands content to the host, which writes nothing yet.
func (f *Folder) stage(r fileRequest, content []byte) (*body, error) {
	host, operation := f.using(), r.operation
	var staged *body
	for at := 0; at < len(content); at += abi.MaxPiece {
		piece := content[at:min(at+abi.MaxPiece, len(content))]
		r := fileRequest{operation: "stage", path: r.path}
		if staged != nil {
			r.staged = staged.handle
		}
		handle := host.Files(r.json(f.name), piece)
		if handle <= 0 {
			if staged != nil {
				_ = staged.Close()
			}
			return nil, f.failure(operation, r.path, hostError(host, "", handle))
		}
		if next := (&body{host: host, op: f.op(), handle: handle}); staged == nil {
			staged = next
		} else {
			_ = next.Close() // it says only that the piece has come
		}
	}
	return staged, nil
}

func (f *Folder) using() abi.Host {
	if f.host == nil {
		return abi.Current()
	}
	return f.host
}

func (f *Folder) op() string { return "workspace " + f.name }

func badName() *Error { return &Error{Text: "not a name of io/fs", kind: ErrMalformed} }

// failure is an error of an operation on a name.
func (f *Folder) failure(operation, name string, err error) error {
	if e, ok := err.(*Error); ok {
		e.Op = f.op()
	}
	return &fs.PathError{Op: operation, Path: name, Err: err}
}

// fileRequest is what the import "files" takes.
type fileRequest struct {
	operation, path, to, after, version string
	offset, length, staged              int64
	absent                              bool
}

func (r fileRequest) json(workspace string) []byte {
	b := shape.AppendString([]byte(`{"operation":`), r.operation)
	b = shape.AppendString(append(b, `,"workspace":`...), workspace)
	for _, text := range [...][2]string{{`,"path":`, r.path}, {`,"to":`, r.to}, {`,"after":`, r.after}, {`,"version":`, r.version}} {
		if text[1] != "" {
			b = shape.AppendString(append(b, text[0]...), text[1])
		}
	}
	for _, number := range [...]struct {
		name  string
		value int64
	}{{`,"offset":`, r.offset}, {`,"length":`, r.length}, {`,"staged":`, r.staged}} {
		if number.value != 0 {
			b = strconv.AppendInt(append(b, number.name...), number.value, 10)
		}
	}
	if r.absent {
		b = append(b, `,"absent":true`...)
	}
	return append(b, '}')
}

// do makes one request, and reads the body of its answer.
func (f *Folder) do(r fileRequest, data []byte) (*whole, []byte, error) {
	if !fs.ValidPath(r.path) {
		return nil, nil, f.failure(r.operation, r.path, badName())
	}
	host := f.using()
	answer, content, err := take(host, f.op(), host.Files(r.json(f.name), data))
	if err != nil {
		return nil, nil, f.failure(r.operation, r.path, err)
	}
	return answer, content, nil
}
