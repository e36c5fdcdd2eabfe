package broker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/host/internal/workspace"
	"github.com/ringfence/ringfence/pluginkit"
	"github.com/ringfence/ringfence/pluginkit/wire"
)

// filesKit is a broker that grants one folder.
func filesKit(t *testing.T, cfg workspace.Config, change ...func(*Config)) (*kit, string) {
	t.Helper()
	cfg.Path = t.TempDir()
	open := func() (*workspace.Workspace, error) { return workspace.Open(cfg) }
	return newKit(t, "", append(change, func(c *Config) {
		c.Folders = []Folder{{Name: "w", Rule: "test.hcl:9", Open: open},
			{Name: "broken", Open: func() (*workspace.Workspace, error) { return nil, errors.New("no such folder /home/secret") }}}
	})...), cfg.Path
}

func (k *kit) files(r *wire.Files) *wire.CapabilityReply {
	if r.Workspace == "" {
		r.Workspace = "w"
	}
	return k.s.Handle(context.Background(), &wire.CapabilityRequest{Op: &wire.CapabilityRequest_Files{Files: r}})
}

const (
	statFile   = wire.FileOperation_FILE_STAT
	listFiles  = wire.FileOperation_FILE_LIST
	readFile   = wire.FileOperation_FILE_READ
	writeFile  = wire.FileOperation_FILE_WRITE
	stageFile  = wire.FileOperation_FILE_STAGE
	appendFile = wire.FileOperation_FILE_APPEND
)

func TestFileRequestsThatAreRefused(t *testing.T) {
	k, dir := filesKit(t, workspace.Config{Write: true, Limits: workspace.Limits{File: 3 << 20}})
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		request *wire.Files
		code    wire.Code
		says    string
	}{
		"no operation":        {&wire.Files{Path: "a"}, wire.Code_CODE_INVALID, "operation 0"},
		"an unknown one":      {&wire.Files{Operation: 99, Path: "a"}, wire.Code_CODE_INVALID, "operation 99"},
		"no such workspace":   {&wire.Files{Operation: readFile, Workspace: "x"}, wire.Code_CODE_DENIED, "no workspace"},
		"one that is not":     {&wire.Files{Operation: readFile, Workspace: "broken"}, wire.Code_CODE_UNAVAILABLE, "cannot be opened"},
		"a way out":           {&wire.Files{Operation: readFile, Path: "../x"}, wire.Code_CODE_INVALID, "between slashes"},
		"a link":              {&wire.Files{Operation: readFile, Path: "link"}, wire.Code_CODE_DENIED, "symbolic link"},
		"a key":               {&wire.Files{Operation: statFile, Path: "a.pem"}, wire.Code_CODE_DENIED, "keys"},
		"a way out, renamed":  {&wire.Files{Operation: wire.FileOperation_FILE_RENAME, Path: "a", To: "/x"}, wire.Code_CODE_INVALID, "between slashes"},
		"a read of too much":  {&wire.Files{Operation: readFile, Path: "a", Length: pluginkit.MaxPiece + 1}, wire.Code_CODE_INVALID, "maximum 1048576"},
		"a read from nowhere": {&wire.Files{Operation: readFile, Path: "a", Offset: 1 << 63, Length: 1}, wire.Code_CODE_INVALID, "offset"},
		"a large piece":       {&wire.Files{Operation: writeFile, Path: "a", Data: make([]byte, pluginkit.MaxPiece+1)}, wire.Code_CODE_LIMIT, "stage"},
		"nothing staged":      {&wire.Files{Operation: writeFile, Path: "a", Staged: 7}, wire.Code_CODE_NOT_FOUND, "staged"},
		"more on nothing":     {&wire.Files{Operation: stageFile, Path: "a", Staged: 7}, wire.Code_CODE_NOT_FOUND, "staged"},
		"the folder itself":   {&wire.Files{Operation: wire.FileOperation_FILE_REMOVE}, wire.Code_CODE_INVALID, "workspace itself"},
		"an unknown file":     {&wire.Files{Operation: statFile, Path: "a"}, wire.Code_CODE_NOT_FOUND, `"a"`},
		"a path of no text":   {&wire.Files{Operation: readFile, Path: "\xff"}, wire.Code_CODE_INVALID, "UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			reply := k.files(tt.request)
			want(t, reply, tt.code, tt.says)
			if strings.Contains(reply.GetMessage(), "/home/secret") || strings.Contains(reply.GetMessage(), dir) {
				t.Errorf("it tells of the host: %q", reply.GetMessage())
			}
		})
	}
	if list, _ := os.ReadDir(dir); len(list) != 1 {
		t.Errorf("there are %v", list)
	}
}

// What is on record: each operation once, before it is done, and again when it
// fails; the pieces of one file once.
// One file that is replaced for ever lets nothing grow, and wears out the disk.
func TestWritesAreRationed(t *testing.T) {
	now := time.Now()
	k, _ := filesKit(t, workspace.Config{Write: true}, func(c *Config) {
		c.Limits, c.Now = Limits{FileRate: 64 << 10}, func() time.Time { return now }
	})
	write := func() *wire.CapabilityReply {
		return k.files(&wire.Files{Operation: writeFile, Path: "f", Data: make([]byte, 100<<10)})
	}
	written := 0
	for ; written < 100; written++ {
		if r := write(); r.GetCode() != wire.Code_CODE_OK {
			want(t, r, wire.Code_CODE_LIMIT, "65536 bytes a second")
			break
		}
	}
	if written != 9 { // of 104 KiB, with 1 MiB at once
		t.Errorf("100 KiB were written %d times at once", written)
	}
	if r := k.files(&wire.Files{Operation: readFile, Path: "f", Length: 10}); len(r.GetData()) != 10 {
		t.Errorf("reading is rationed: %v", r)
	}
	now = now.Add(2 * time.Second)
	want(t, write(), wire.Code_CODE_OK, "")
	for range 100 { // what is cheap for a guest is not free
		if r := k.files(&wire.Files{Operation: wire.FileOperation_FILE_MAKE_FOLDER, Path: "d"}); r.GetCode() != wire.Code_CODE_OK {
			want(t, r, wire.Code_CODE_LIMIT, "writes too much")
			return
		}
	}
	t.Error("folders are made for ever")
}

func TestFileRequestsAreOnRecord(t *testing.T) {
	k, dir := filesKit(t, workspace.Config{Write: true})
	k.files(&wire.Files{Operation: writeFile, Path: "a", Data: []byte("hello")})
	for offset := range uint64(5) {
		k.files(&wire.Files{Operation: readFile, Path: "a", Offset: offset, Length: 1})
	}
	k.files(&wire.Files{Operation: statFile, Path: "b"})
	k.files(&wire.Files{Operation: readFile, Path: "c", Offset: 5, Length: 1})
	k.files(&wire.Files{Operation: writeFile, Path: ".env", Data: []byte("x")})
	if got := k.log.summary(); got != "files allow, files allow, files allow, files error, files allow, files error, files deny" {
		t.Errorf("on record is %q", got)
	}
	if e := k.log.entries[0]; e.Rule != "test.hcl:9" || e.Details.Method != "write" || e.Details.Workspace != "w" || e.Details.Path != "a" || e.Details.Sent != 5 {
		t.Errorf("%+v", e)
	}
	if d := k.s.Denials(); len(d) != 1 || d[0].Kind != "files" {
		t.Errorf("%+v", d)
	}
	k.log.fail = errors.New("disk full")
	want(t, k.files(&wire.Files{Operation: writeFile, Path: "unrecorded", Data: []byte("x")}), wire.Code_CODE_INTERNAL, "audit log")
	if _, err := os.Stat(filepath.Join(dir, "unrecorded")); err == nil {
		t.Error("it was written and is not on record")
	}
}

func TestLargeFilesAreStaged(t *testing.T) {
	k, dir := filesKit(t, workspace.Config{Write: true, Limits: workspace.Limits{File: 3 << 20}})
	piece := make([]byte, pluginkit.MaxPiece)
	handle := k.files(&wire.Files{Operation: stageFile, Path: "big", Data: piece}).GetHandle()
	for range 2 {
		if r := k.files(&wire.Files{Operation: stageFile, Path: "big", Staged: handle, Data: piece}); r.GetCode() != 0 || r.GetHandle() != 0 {
			t.Fatalf("%v", r)
		}
	}
	want(t, k.files(&wire.Files{Operation: stageFile, Path: "big", Staged: handle, Data: []byte("x")}), wire.Code_CODE_LIMIT, "maximum 3145728")
	if r := k.files(&wire.Files{Operation: writeFile, Path: "big", Staged: handle}); r.GetCode() != 0 || r.GetEntries()[0].GetSize() != 3<<20 {
		t.Errorf("%v", r)
	}
	want(t, k.files(&wire.Files{Operation: appendFile, Path: "big", Staged: handle}), wire.Code_CODE_LIMIT, "maximum 3145728")
	if info, err := os.Stat(filepath.Join(dir, "big")); err != nil || info.Size() != 3<<20 {
		t.Errorf("%v", err)
	}
	// The body of a response is not something to write.
	reply := k.files(&wire.Files{Operation: writeFile, Path: "stolen", Staged: k.s.keep(newBody(newSpool(k.b.quota, "")))})
	want(t, reply, wire.Code_CODE_NOT_FOUND, "staged")
	// Handles are bounded.
	opened := 0
	for range 100 {
		if r := k.files(&wire.Files{Operation: stageFile, Path: "many", Data: []byte("x")}); r.GetHandle() != 0 {
			opened++
		}
	}
	if opened > k.b.limits.Handles {
		t.Errorf("%d are open", opened)
	}
}

func TestListsComeInPieces(t *testing.T) {
	k, dir := filesKit(t, workspace.Config{})
	for i := range 2500 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%04d", strings.Repeat("n", 200), i)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	seen, after := 0, ""
	for more := true; more; {
		r := k.files(&wire.Files{Operation: listFiles, After: after, Length: pluginkit.MaxPiece})
		if n := len(r.GetEntries()); r.GetCode() != 0 || n == 0 || n > maxListed {
			t.Fatalf("%d entries: %v", n, r.GetMessage())
		}
		seen, more, after = seen+len(r.GetEntries()), r.GetMore(), r.GetEntries()[len(r.GetEntries())-1].GetName()
	}
	if seen != 2500 {
		t.Errorf("%d of 2500", seen)
	}
}
