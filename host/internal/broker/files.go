package broker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/ringfence/ringfence/host/internal/audit"
	"github.com/ringfence/ringfence/host/internal/printable"
	"github.com/ringfence/ringfence/host/internal/workspace"
	"github.com/ringfence/ringfence/pluginkit"
	"github.com/ringfence/ringfence/pluginkit/wire"
)

// Folder is a workspace of the plugin.
type Folder struct {
	Name string
	Rule string // where the policy grants it
	// Open opens it. It is called when a guest first asks for the folder, and
	// again after it has failed.
	Open func() (*workspace.Workspace, error)
}

// folder is a Folder that is open once it was needed.
type folder struct {
	Folder
	mu   sync.Mutex
	open *workspace.Workspace
}

func (f *folder) workspace() (*workspace.Workspace, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.open == nil {
		open, err := f.Open()
		if err != nil {
			return nil, err
		}
		f.open = open
	}
	return f.open, nil
}

func (f *folder) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.open != nil {
		_ = f.open.Close()
	}
}

// maxListed is how many entries one list gives.
const maxListed = 1000

var fileVerbs = map[wire.FileOperation]string{
	wire.FileOperation_FILE_STAT: "stat", wire.FileOperation_FILE_LIST: "list", wire.FileOperation_FILE_READ: "read",
	wire.FileOperation_FILE_WRITE: "write", wire.FileOperation_FILE_APPEND: "append", wire.FileOperation_FILE_RENAME: "rename",
	wire.FileOperation_FILE_REMOVE: "remove", wire.FileOperation_FILE_MAKE_FOLDER: "make_folder", wire.FileOperation_FILE_STAGE: "stage",
}

// fileRequest is one operation on its way.
type fileRequest struct {
	s     *Session
	req   *wire.Files
	files *workspace.Workspace
	entry audit.Entry
}

// files takes an operation through its chain:
//
//	grant → form → path → (leak scan) → record → execute → (leak scan) → guest
//
// The scans in brackets are places, as in chain.go: of what is written, and of
// what was read.
func (s *Session) files(ctx context.Context, req *wire.Files) *wire.CapabilityReply {
	x := &fileRequest{s: s, req: req}
	x.entry = audit.Entry{Kind: "files", Details: audit.Details{Method: fileVerbs[req.GetOperation()],
		Workspace: clip(req.GetWorkspace(), 256), Path: clip(req.GetPath(), 1<<10), To: clip(req.GetTo(), 1<<10), Sent: int64(len(req.GetData()))}}
	if refused := x.admit(); refused != nil {
		return s.refuse(x.entry, refused)
	}
	if x.worthRecording() {
		e := x.entry
		e.Decision = audit.Allow
		if err := s.record(e); err != nil {
			return answer(wire.Code_CODE_INTERNAL, unrecorded)
		}
	}
	reply, refused := x.execute(ctx)
	if refused != nil {
		return s.refuse(x.entry, refused)
	}
	return reply
}

// admit finds the folder and judges what can be judged without looking at it.
func (x *fileRequest) admit() *refusal {
	req := x.req
	if x.entry.Details.Method == "" {
		return invalid("an operation %d on files", req.GetOperation())
	}
	if n := len(req.GetData()); n > pluginkit.MaxPiece {
		return limited("%d bytes at once (maximum %d): stage them first", n, pluginkit.MaxPiece)
	}
	if n := req.GetLength(); n > pluginkit.MaxPiece {
		return invalid("a read of %d bytes (maximum %d)", n, pluginkit.MaxPiece)
	}
	found := x.s.b.folders[req.GetWorkspace()]
	if found == nil {
		return denied("the policy grants this plugin no workspace of that name")
	}
	x.entry.Rule = found.Rule
	files, err := found.workspace()
	if err != nil {
		return failed(wire.Code_CODE_UNAVAILABLE, "the workspace cannot be opened", err.Error())
	}
	x.files = files
	err = files.Admits(req.GetPath(), x.changes())
	if err == nil && req.GetOperation() == wire.FileOperation_FILE_RENAME {
		err = files.Admits(req.GetTo(), true)
	}
	if err != nil {
		return fileRefusal(err)
	}
	return nil
}

func (x *fileRequest) changes() bool {
	switch x.req.GetOperation() {
	case wire.FileOperation_FILE_STAT, wire.FileOperation_FILE_LIST, wire.FileOperation_FILE_READ:
		return false
	}
	return true
}

// worthRecording is false for the pieces that follow the first of a file that is
// read, and of what is staged: the record of the first speaks for them.
func (x *fileRequest) worthRecording() bool {
	s, req := x.s, x.req
	s.mu.Lock()
	defer s.mu.Unlock()
	switch req.GetOperation() {
	case wire.FileOperation_FILE_STAGE:
		return req.GetStaged() == 0
	case wire.FileOperation_FILE_READ:
		reading := req.GetWorkspace() + "\x00" + req.GetPath()
		if req.GetOffset() > 0 && s.reading == reading {
			return false
		}
		s.reading = reading
	}
	return true
}

// execute does it.
func (x *fileRequest) execute(ctx context.Context) (*wire.CapabilityReply, *refusal) {
	req := x.req
	on := workspace.If{Absent: req.GetAbsent(), Version: req.GetVersion()}
	switch req.GetOperation() {
	case wire.FileOperation_FILE_RENAME, wire.FileOperation_FILE_REMOVE, wire.FileOperation_FILE_MAKE_FOLDER:
		if refused := x.spend(0); refused != nil {
			return nil, refused
		}
	}
	var err error
	var e workspace.Entry
	reply := &wire.CapabilityReply{}
	switch req.GetOperation() {
	case wire.FileOperation_FILE_STAT:
		e, err = x.files.Stat(req.GetPath())
	case wire.FileOperation_FILE_LIST:
		return x.list(ctx)
	case wire.FileOperation_FILE_READ:
		if req.GetOffset() > 1<<62 {
			return reply, invalid("an offset of %d", req.GetOffset())
		}
		reply.Data, e, err = x.files.Read(req.GetPath(), int64(req.GetOffset()), int64(req.GetLength()))
		reply.BodyBytes = uint64(len(reply.Data))
	case wire.FileOperation_FILE_STAGE:
		return x.stage()
	case wire.FileOperation_FILE_WRITE, wire.FileOperation_FILE_APPEND:
		content, refused := x.content()
		if refused == nil {
			refused = x.spend(content.Size)
		}
		if refused != nil {
			return nil, refused
		}
		if req.GetOperation() == wire.FileOperation_FILE_WRITE {
			e, err = x.files.Write(ctx, req.GetPath(), content, on)
		} else {
			e, err = x.files.Append(ctx, req.GetPath(), content, on)
		}
	case wire.FileOperation_FILE_RENAME:
		err = x.files.Rename(ctx, req.GetPath(), req.GetTo())
	case wire.FileOperation_FILE_REMOVE:
		err = x.files.Remove(ctx, req.GetPath(), on)
	case wire.FileOperation_FILE_MAKE_FOLDER:
		err = x.files.MakeFolder(ctx, req.GetPath())
	}
	if err != nil {
		return nil, fileRefusal(err)
	}
	if e != (workspace.Entry{}) {
		reply.Entries = []*wire.Entry{fileEntry(e)}
	}
	return reply, nil
}

// changeCost is what the file system writes for a change beside its bytes.
const changeCost = 4 << 10

// spend charges the plugin for a change.
//
// Attack: a guest replaces one large file again and again: the folder does not grow,
// and the disk wears out.
func (x *fileRequest) spend(bytes int64) *refusal {
	b := x.s.b
	if !b.writes.AllowN(b.cfg.Now(), int(bytes+changeCost)) {
		return limited("the plugin writes too much: %d bytes a second on the average", b.limits.FileRate)
	}
	return nil
}

func (x *fileRequest) list(ctx context.Context) (*wire.CapabilityReply, *refusal) {
	n := int(x.req.GetLength())
	if n == 0 || n > maxListed {
		n = maxListed
	}
	entries, more, err := x.files.List(ctx, x.req.GetPath(), x.req.GetAfter(), n)
	if err != nil {
		return nil, fileRefusal(err)
	}
	reply := &wire.CapabilityReply{More: more}
	for _, e := range entries {
		reply.Entries = append(reply.Entries, fileEntry(e))
	}
	return reply, nil
}

func fileEntry(e workspace.Entry) *wire.Entry {
	return &wire.Entry{Name: e.Name, Folder: e.Dir, Size: uint64(max(e.Size, 0)), ModifiedNs: e.Modified, Version: e.Version}
}

// content is what is written: the bytes of the request, or what was staged.
func (x *fileRequest) content() (workspace.Content, *refusal) {
	if x.req.GetStaged() == 0 {
		data := x.req.GetData()
		return workspace.Content{From: bytes.NewReader(data), Size: int64(len(data))}, nil
	}
	body, refused := x.staged()
	if refused != nil {
		return workspace.Content{}, refused
	}
	size := body.Size()
	return workspace.Content{From: io.NewSectionReader(body, 0, size), Size: size}, nil
}

// staged is what an earlier request has begun to stage. The body of a response is
// not: that would write what no guard has seen as something to write.
func (x *fileRequest) staged() (*spool, *refusal) {
	s := x.s
	s.mu.Lock()
	defer s.mu.Unlock()
	body, ok := s.bodies[x.req.GetStaged()]
	if !ok || !body.spool.staged {
		return nil, &refusal{code: wire.Code_CODE_NOT_FOUND, decision: audit.Failed, message: "nothing is staged under this handle in this call"}
	}
	return body.spool, nil
}

// stage keeps bytes for a write that is larger than a message.
func (x *fileRequest) stage() (*wire.CapabilityReply, *refusal) {
	s, handle := x.s, x.req.GetStaged()
	var body *spool
	if handle == 0 {
		if refused := s.reserve(); refused != nil {
			return nil, refused
		}
		defer s.unreserve()
		body = newSpool(s.b.quota, s.b.cfg.RunDir)
		body.staged = true
	} else {
		var refused *refusal
		if body, refused = x.staged(); refused != nil {
			return nil, refused
		}
	}
	if total, most := body.Size()+int64(len(x.req.GetData())), x.files.MaxFile(); total > most {
		return nil, limited("a file of %d bytes (maximum %d)", total, most)
	}
	if _, err := body.Write(x.req.GetData()); err != nil {
		if handle == 0 {
			body.Close()
		}
		if errors.Is(err, errNoSpace) {
			return nil, limited("open bodies of this plugin take more than %d bytes: close some", s.b.limits.Disk)
		}
		return nil, failed(wire.Code_CODE_INTERNAL, "the host failed", "staging: "+err.Error())
	}
	if handle != 0 {
		return &wire.CapabilityReply{}, nil // it has its handle
	}
	return &wire.CapabilityReply{Handle: s.keep(newBody(body))}, nil
}

// fileRefusal turns an error of the file server into a refusal. Its texts name the
// guest's own words; what the system said goes to the log.
func fileRefusal(err error) *refusal {
	text := printable.Line(err.Error(), 512)
	for _, known := range []struct {
		is   error
		code wire.Code
		deny bool
	}{
		{workspace.ErrPath, wire.Code_CODE_INVALID, true},
		{workspace.ErrRefused, wire.Code_CODE_DENIED, true},
		{workspace.ErrReadOnly, wire.Code_CODE_DENIED, true},
		{workspace.ErrLimit, wire.Code_CODE_LIMIT, true},
		{workspace.ErrNotFound, wire.Code_CODE_NOT_FOUND, false},
		{workspace.ErrKind, wire.Code_CODE_INVALID, false},
		{workspace.ErrExists, wire.Code_CODE_EXISTS, false},
		{workspace.ErrChanged, wire.Code_CODE_CHANGED, false},
		{workspace.ErrBusy, wire.Code_CODE_TIMEOUT, false},
		{workspace.ErrEnded, wire.Code_CODE_CANCELED, false},
	} {
		if !errors.Is(err, known.is) {
			continue
		}
		// The code says it to the guest already.
		r := failed(known.code, strings.TrimPrefix(text, known.is.Error()+": "), "")
		if known.deny {
			r.decision = audit.Deny
		}
		return r
	}
	return failed(wire.Code_CODE_INTERNAL, text, fmt.Sprint(workspace.Cause(err)))
}
