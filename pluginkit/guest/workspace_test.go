package guest_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/ringfence/ringfence/pluginkit/guest"
	"github.com/ringfence/ringfence/pluginkit/guest/guesttest"
)

func notes(t *testing.T, files map[string]string) (*guest.Folder, *guesttest.Workspace) {
	t.Helper()
	w := &guesttest.Workspace{Files: files}
	(&guesttest.Host{Workspaces: map[string]*guesttest.Workspace{"notes": w}}).Use(t)
	return guest.Workspace("notes"), w
}

func TestAWorkspaceIsAFileSystem(t *testing.T) {
	folder, _ := notes(t, map[string]string{"a.md": "alpha", "in/b.md": strings.Repeat("beta ", 50_000), "in/deep/c.md": "", "empty/": ""})
	if err := fstest.TestFS(folder, "a.md", "in/b.md", "in/deep/c.md", "empty"); err != nil {
		t.Error(err)
	}
	f, err := folder.Open("in/b.md")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.(io.Seeker).Seek(-5, io.SeekEnd); err != nil {
		t.Error(err)
	}
	if rest, err := io.ReadAll(f); string(rest) != "beta " || err != nil {
		t.Errorf("%q, %v", rest, err)
	}
}

func TestWritesAreConditional(t *testing.T) {
	folder, w := notes(t, map[string]string{"n": "1"})
	content, version, err := folder.Read("n")
	if string(content) != "1" || version == "" || err != nil {
		t.Fatalf("%q of version %q, %v", content, version, err)
	}
	second, err := folder.Replace("n", []byte("2"), version)
	if err != nil || second == version {
		t.Errorf("version %q after %q, %v", second, version, err)
	}
	if info, err := folder.Stat("n"); err != nil || info.Sys() != second {
		t.Errorf("%+v, %v", info, err)
	}
	_, stale := folder.Replace("n", []byte("3"), version)
	_, versionless := folder.Replace("n", []byte("3"), "")
	for err, want := range map[error]error{
		stale:                               guest.ErrChanged,
		versionless:                         fs.ErrInvalid,
		folder.Create("n", nil):             fs.ErrExist,
		folder.Remove("gone"):               fs.ErrNotExist,
		folder.Rename("n", "n"):             fs.ErrExist,
		folder.Rename("n", "../n"):          fs.ErrInvalid,
		folder.WriteFile("../n", nil):       fs.ErrInvalid,
		folder.WriteFile("n/below", nil):    fs.ErrInvalid,
		second2(folder.ReadFile("/etc")):    guest.ErrMalformed,
		guest.Workspace("x").Remove("a"):    fs.ErrPermission,
		guest.Workspace("x").MkdirAll("a"):  guest.ErrDenied,
		second2(folder.ReadFile("missing")): guest.ErrNotFound,
	} {
		if !errors.Is(err, want) {
			t.Errorf("error = %v, want %v", err, want)
		}
		var named *fs.PathError
		if !errors.As(err, &named) {
			t.Errorf("%v names no path", err)
		}
	}
	if err := errors.Join(folder.Append("n", []byte(" and more")), folder.MkdirAll("d/e"), folder.Rename("n", "d/e/n")); err != nil {
		t.Error(err)
	}
	if w.Files["d/e/n"] != "2 and more" {
		t.Errorf("%q", w.Files)
	}
	w.ReadOnly = true
	if err := folder.Append("d/e/n", nil); !errors.Is(err, guest.ErrDenied) || !strings.Contains(err.Error(), `access = "read"`) {
		t.Errorf("%v", err)
	}
}

func second2(_ []byte, err error) error { return err }

// Somebody else writes whenever this one has read.
func TestUpdateLosesNothing(t *testing.T) {
	folder, w := notes(t, nil)
	others := 3
	w.Refuse = func(operation, path string) error {
		if operation == "write" && others > 0 {
			others--
			n, _ := strconv.Atoi(w.Files[path])
			w.Files = map[string]string{path: strconv.Itoa(n + 10)}
		}
		return nil
	}
	add := func(old []byte) ([]byte, error) {
		n, _ := strconv.Atoi(string(old))
		return []byte(strconv.Itoa(n + 1)), nil
	}
	if err := errors.Join(folder.Update("n", add), folder.Update("n", add)); err != nil || w.Files["n"] != "32" {
		t.Errorf("%q, %v", w.Files, err)
	}
	others = 1 << 20
	if err := folder.Update("n", add); !errors.Is(err, guest.ErrChanged) {
		t.Errorf("against somebody who never stops: %v", err)
	}
	stop := errors.New("stop")
	if err := folder.Update("n", func([]byte) ([]byte, error) { return nil, stop }); err != stop {
		t.Errorf("%v", err)
	}
}

// Pieces of two versions are not put together.
func TestAReadIsOfOneMoment(t *testing.T) {
	long := func(s string) string { return strings.Repeat(s, 3<<20) }
	folder, w := notes(t, map[string]string{"f": long("a")})
	reads := 0
	w.Refuse = func(operation, path string) error {
		if reads++; reads == 2 {
			w.Files[path] = long("b")
		}
		return nil
	}
	if content, err := folder.ReadFile("f"); string(content) != long("b") || err != nil {
		t.Errorf("%d bytes, %v", len(content), err)
	}
	f, err := folder.Open("f")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(f, make([]byte, 100)); err != nil {
		t.Error(err)
	}
	w.Files["f"] = long("c")
	if _, err := io.Copy(io.Discard, f); !errors.Is(err, guest.ErrChanged) {
		t.Errorf("%v", err)
	}
}

func TestLargeContentGoesInPieces(t *testing.T) {
	folder, w := notes(t, nil)
	content := bytes.Repeat([]byte("0123456789abcdef"), 200_000)
	if err := errors.Join(folder.WriteFile("big", content), folder.Append("big", content)); err != nil {
		t.Fatal(err)
	}
	if w.Files["big"] != string(content)+string(content) {
		t.Errorf("%d bytes", len(w.Files["big"]))
	}
}
