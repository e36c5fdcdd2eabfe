package guesttest

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ringfence/ringfence/pluginkit/guest"
	"github.com/ringfence/ringfence/pluginkit/internal/guestjson"
)

// Workspace stands in for a folder of the host's. It behaves as the real one
// towards names, versions and writes; what the real one refuses by itself (keys,
// version control, quotas), Refuse can.
type Workspace struct {
	// Files are the contents by path. A path that ends in a slash is an empty
	// folder; folders that something is in are there by themselves.
	Files map[string]string
	// ReadOnly is access = "read".
	ReadOnly bool
	// Refuse, if set, sees each operation first ("stat", "list", "read", "write",
	// "append", "rename", "remove", "make_folder"); an error that it returns is
	// the host's answer, as with Host.Refuse. It may also change Files, as another
	// plugin could at this moment.
	Refuse func(operation, path string) error

	versions map[string]int
	last     int
	seen     map[string]string // the content that a version is of
}

// version is that of a file, new when Files was changed past us.
func (w *Workspace) version(path string) string {
	if w.seen == nil {
		w.seen, w.versions = map[string]string{}, map[string]int{}
	}
	if content, known := w.seen[path]; !known || content != w.Files[path] {
		w.touch(path)
	}
	return strconv.Itoa(w.versions[path])
}

func (w *Workspace) touch(path string) {
	if w.seen == nil {
		w.seen, w.versions = map[string]string{}, map[string]int{}
	}
	w.last++
	w.seen[path], w.versions[path] = w.Files[path], w.last
}

// isFolder says whether a path is a folder: named as one, or the beginning of
// other paths.
func (w *Workspace) isFolder(path string) bool {
	if path == "." {
		return true
	}
	for p := range w.Files {
		if strings.HasPrefix(p, path+"/") {
			return true
		}
	}
	return false
}

func (w *Workspace) entry(path string) (*guestjson.Entry, error) {
	e := &guestjson.Entry{Name: path[strings.LastIndex(path, "/")+1:], Modified: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).UnixMicro()}
	content, is := w.Files[path]
	switch {
	case is:
		e.Size, e.Version = uint64(len(content)), w.version(path)
	case w.isFolder(path):
		e.Folder = true
	default:
		return nil, fmt.Errorf("%w: %q", guest.ErrNotFound, path)
	}
	return e, nil
}

// list is the entries of a folder, by name.
func (w *Workspace) list(folder, after string) ([]guestjson.Entry, error) {
	if _, is := w.Files[folder]; is || !w.isFolder(folder) {
		_, err := w.entry(folder)
		if err == nil {
			err = fmt.Errorf("%w: %q is not a folder", guest.ErrMalformed, folder)
		}
		return nil, err
	}
	prefix := folder + "/"
	if folder == "." {
		prefix = ""
	}
	names := map[string]bool{}
	for p := range w.Files {
		if rest, in := strings.CutPrefix(p, prefix); in && rest != "" {
			name, _, _ := strings.Cut(rest, "/")
			names[name] = true
		}
	}
	var list []guestjson.Entry
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if name > after {
			e, err := w.entry(prefix + name)
			if err != nil {
				return nil, err
			}
			list = append(list, *e)
		}
	}
	return list, nil
}

// write sets a file, or what is behind its end, under the request's conditions.
func (w *Workspace) write(r guestjson.Files, content string) (*guestjson.Entry, error) {
	old, there := w.Files[r.Path]
	switch {
	case w.isFolder(r.Path):
		return nil, fmt.Errorf("%w: %q is a folder", guest.ErrMalformed, r.Path)
	case there && r.Absent:
		return nil, fmt.Errorf("%w: %q", guest.ErrExists, r.Path)
	case r.Version != "" && (!there || w.version(r.Path) != r.Version):
		return nil, fmt.Errorf("%w: %q", guest.ErrChanged, r.Path)
	}
	for at := range r.Path {
		if _, is := w.Files[r.Path[:at]]; r.Path[at] == '/' && is {
			return nil, fmt.Errorf("%w: %q is not a folder", guest.ErrMalformed, r.Path[:at])
		}
	}
	if r.Operation == "append" {
		content = old + content
	}
	if w.Files == nil {
		w.Files = map[string]string{}
	}
	w.Files[r.Path] = content
	w.touch(r.Path)
	return w.entry(r.Path)
}

func (w *Workspace) rename(from, to string) error {
	if _, err := w.entry(from); err != nil {
		return err
	}
	if _, err := w.entry(to); err == nil {
		return fmt.Errorf("%w: %q", guest.ErrExists, to)
	}
	for _, p := range slices.Collect(maps.Keys(w.Files)) {
		if rest, in := strings.CutPrefix(p, from); in && (rest == "" || rest[0] == '/') {
			w.Files[to+rest] = w.Files[p]
			delete(w.Files, p)
		}
	}
	return nil
}

func (w *Workspace) remove(r guestjson.Files) error {
	e, err := w.entry(r.Path)
	switch {
	case err != nil:
		return err
	case r.Version != "" && r.Version != e.Version:
		return fmt.Errorf("%w: %q", guest.ErrChanged, r.Path)
	case !e.Folder:
		delete(w.Files, r.Path)
		return nil
	}
	if list, _ := w.list(r.Path, ""); len(list) > 0 {
		return fmt.Errorf("%w: %q is not empty", guest.ErrMalformed, r.Path)
	}
	delete(w.Files, r.Path+"/")
	return nil
}

// Files implements abi.Host.
func (s *seam) Files(request, data []byte) int64 {
	r, err := guestjson.ParseFiles(request)
	if err != nil {
		return int64(s.fail(fmt.Errorf("%w: %w", guest.ErrMalformed, err)))
	}
	reply, err := s.files(r, data)
	if err != nil {
		return int64(s.fail(err))
	}
	return s.keepReply(reply)
}

// reply is an answer that is not to an HTTP request.
type reply struct {
	guestjson.Head
	data []byte
}

func (s *seam) keepReply(r reply) int64 {
	r.Bytes = uint64(len(r.data))
	head, err := r.JSON()
	if err != nil {
		return int64(s.fail(err))
	}
	return s.keep(&answer{head: head, body: r.data})
}

func (s *seam) files(r guestjson.Files, data []byte) (none reply, err error) {
	w := s.Workspaces[r.Workspace]
	if w == nil {
		return none, fmt.Errorf("%w: the policy grants this plugin no workspace of that name", guest.ErrDenied)
	}
	reads := slices.Contains(guestjson.FileOperations[:3], r.Operation)
	if w.ReadOnly && !reads {
		return none, fmt.Errorf("%w: the policy grants access = \"read\"", guest.ErrDenied)
	}
	if !fs.ValidPath(r.Path) || r.To != "" && !fs.ValidPath(r.To) || r.Path == "." && !reads {
		return none, fmt.Errorf("%w: %q", guest.ErrMalformed, r.Path)
	}
	if r.Operation == "stage" {
		return s.stage(r, data)
	}
	if w.Refuse != nil {
		if err := w.Refuse(r.Operation, r.Path); err != nil {
			return none, err
		}
	}
	return s.carryOut(w, r, data)
}

func (s *seam) carryOut(w *Workspace, r guestjson.Files, data []byte) (done reply, err error) {
	var e *guestjson.Entry
	switch r.Operation {
	case "stat":
		e, err = w.entry(r.Path)
	case "list":
		done.Entries, err = w.list(r.Path, r.After)
	case "read":
		if e, err = w.entry(r.Path); err == nil && e.Folder {
			return done, fmt.Errorf("%w: %q is a folder", guest.ErrMalformed, r.Path)
		}
		rest := w.Files[r.Path]
		rest = rest[min(r.Offset, uint64(len(rest))):]
		done.data = []byte(rest[:min(uint64(r.Length), uint64(len(rest)))])
	case "write", "append":
		content := string(data)
		if r.Staged != 0 {
			staged, open := s.open[int64(r.Staged)]
			if !open {
				return done, guest.ErrNotFound
			}
			content = string(staged.body)
		}
		e, err = w.write(r, content)
	case "rename":
		err = w.rename(r.Path, r.To)
	case "remove":
		err = w.remove(r)
	case "make_folder":
		if _, is := w.Files[r.Path]; is {
			return done, fmt.Errorf("%w: %q is not a folder", guest.ErrMalformed, r.Path)
		}
		if w.Files == nil {
			w.Files = map[string]string{}
		}
		w.Files[r.Path+"/"] = ""
	}
	if e != nil {
		done.Entries = []guestjson.Entry{*e}
	}
	return done, err
}

// stage adds to an answer that is kept, or begins one. Each handle is closed by
// itself; what was staged ends with the first.
func (s *seam) stage(r guestjson.Files, data []byte) (reply, error) {
	if r.Staged == 0 {
		return reply{data: data}, nil
	}
	staged, open := s.open[int64(r.Staged)]
	if !open {
		return reply{}, guest.ErrNotFound
	}
	staged.body = append(staged.body[:len(staged.body):len(staged.body)], data...)
	return reply{}, nil
}
