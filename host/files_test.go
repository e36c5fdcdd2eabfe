package host_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ringfence/ringfence/host"
)

const granted = `
ringfence {
  state_dir = "STATE"
}
plugin "rogue" {
  source = "TOOLS/rogue.wasm"
  limits {
    memory    = "64MiB"
    processes = 2
  }
  workspace "w" {
    path       = "FOLDER"
    access     = "write"
    include    = [".env.example"]
    max_file   = "6MiB"
    max_growth = "20MiB"
    max_files  = 50
  }
  workspace "seen" {
    path = "FOLDER"
  }
  workspace "gone" {
    path = "FOLDER/not there"
  }
}
`

// filesOf is what the tool "files" tells.
type filesOf struct {
	Text, Version string
	Bytes         int64
	Names         []string
}

// folder opens a host that grants a folder, and returns what works in it.
func folder(t *testing.T, opts host.Options) (dir string, do func(format string, args ...any) (filesOf, error)) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "w")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	h := open(t, strings.ReplaceAll(granted, "FOLDER", dir), opts)
	return dir, func(format string, args ...any) (answer filesOf, err error) {
		r, err := h.Call(t.Context(), "rogue.files", fmt.Appendf(nil, "{"+format+"}", args...))
		if err != nil {
			return answer, err
		}
		return answer, json.Unmarshal(r.JSON, &answer)
	}
}

// both runs a test over both transports.
func both(t *testing.T, run func(t *testing.T, opts host.Options)) {
	t.Run("ring", func(t *testing.T) { run(t, host.Options{}) })
	t.Run("grpc", func(t *testing.T) { run(t, host.Options{NoRing: true}) })
}

func TestAModuleWorksInItsFolder(t *testing.T) {
	both(t, func(t *testing.T, opts host.Options) {
		dir, do := folder(t, opts)
		must := func(format string, args ...any) filesOf {
			t.Helper()
			r, err := do(format, args...)
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		must(`"do": "create", "path": "a/b.md", "text": "one"`)
		must(`"do": "append", "path": "a/b.md", "text": " two"`)
		first := must(`"do": "read", "path": "a/b.md"`)
		if first.Text != "one two" || first.Version == "" {
			t.Errorf("%+v", first)
		}
		second := must(`"do": "replace", "path": "a/b.md", "text": "three", "version": %q`, first.Version)
		if s := must(`"do": "stat", "path": "a/b.md"`); s.Version != second.Version || s.Bytes != 5 {
			t.Errorf("%+v, want version %s", s, second.Version)
		}
		if _, err := do(`"do": "replace", "path": "a/b.md", "text": "four", "version": %q`, first.Version); !errors.Is(err, host.ErrToolFailed) || !strings.Contains(err.Error(), "changed meanwhile") {
			t.Errorf("%v", err)
		}
		must(`"do": "write", "path": "big", "bytes": 5000000`)
		must(`"do": "append", "path": "big", "bytes": 1200000`)
		if r := must(`"do": "read", "workspace": "seen", "path": "big"`); r.Bytes != 6_200_000 || strings.Trim(r.Text, "x") != "" {
			t.Errorf("%d bytes", r.Bytes)
		}
		must(`"do": "mkdir", "path": "c/d"`)
		must(`"do": "rename", "path": "a/b.md", "to": "c/d/e.md"`)
		must(`"do": "remove", "path": "a"`)
		if r := must(`"do": "walk"`); !slices.Equal(r.Names, []string{".", "big", "c", "c/d", "c/d/e.md"}) {
			t.Errorf("%q", r.Names)
		}
		if b, err := os.ReadFile(filepath.Join(dir, "c/d/e.md")); string(b) != "three" || err != nil {
			t.Errorf("%q, %v", b, err)
		}
	})
}

func TestAModuleGetsNoFurtherThanItsFolder(t *testing.T) {
	dir, do := folder(t, host.Options{})
	for name, err := range map[string]error{
		".env":         os.WriteFile(filepath.Join(dir, ".env"), []byte("TOKEN=canary"), 0o600),
		".env.example": os.WriteFile(filepath.Join(dir, ".env.example"), []byte("TOKEN="), 0o600),
		"link":         os.Symlink("/etc/passwd", filepath.Join(dir, "link")),
	} {
		if err != nil {
			t.Fatal(name, err)
		}
	}
	for request, want := range map[string]struct {
		kind error
		says string
	}{
		`"do": "read", "path": "link"`:                                        {host.ErrDenied, "symbolic link"},
		`"do": "read", "path": ".env"`:                                        {host.ErrDenied, "environment files"},
		`"do": "rename", "path": ".env", "to": "x"`:                           {host.ErrDenied, "environment files"},
		`"do": "write", "path": "x/id_rsa", "text": "mine"`:                   {host.ErrDenied, "keys"},
		`"do": "read", "path": "../state/audit.jsonl"`:                        {host.ErrToolFailed, "invalid"},
		`"do": "read", "path": "/etc/passwd"`:                                 {host.ErrToolFailed, "not a name"},
		`"do": "read", "path": "nul\u0000byte"`:                               {host.ErrDenied, "printable"},
		`"do": "read", "path": "line\nbreak"`:                                 {host.ErrDenied, "printable"},
		`"do": "read", "path": "` + strings.Repeat("n", 300) + `"`:            {host.ErrDenied, "255"},
		`"do": "read", "path": "` + strings.Repeat("d/", 600) + `f"`:          {host.ErrDenied, "1024"},
		`"do": "write", "path": "huge", "bytes": 7000000`:                     {host.ErrDenied, "maximum 6291456"},
		`"do": "write", "workspace": "seen", "path": "x", "text": "y"`:        {host.ErrDenied, `access = "read"`},
		`"do": "read", "workspace": "other", "path": "x"`:                     {host.ErrDenied, "no workspace of that name"},
		`"do": "list", "workspace": "gone"`:                                   {host.ErrToolFailed, "cannot be opened"},
		`"do": "read", "path": "missing"`:                                     {host.ErrToolFailed, "missing"},
		`"do": "create", "path": ".env.example", "text": "x"`:                 {host.ErrToolFailed, "exists already"},
		`"do": "read", "workspace": "` + strings.Repeat("w", 5000) + `"`:      {host.ErrDenied, "no workspace of that name"},
		`"do": "read", "path": "a", "workspace": "\u202e../../../etc/shadow"`: {host.ErrDenied, "no workspace of that name"},
	} {
		_, err := do("%s", request)
		if !errors.Is(err, want.kind) || !strings.Contains(err.Error(), want.says) && want.says != "invalid" {
			t.Errorf("%.80s: %v (want %v saying %q)", request, err, want.kind, want.says)
		}
		if err != nil && (strings.Contains(err.Error(), dir) || strings.Contains(err.Error(), "canary")) {
			t.Errorf("%.80s tells of the host: %v", request, err)
		}
	}
	if r, err := do(`"do": "list"`); err != nil || !slices.Equal(r.Names, []string{".env.example"}) {
		t.Errorf("%q, %v", r.Names, err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, ".env")); string(b) != "TOKEN=canary" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
}

// What a plugin adds is bounded, in number and in bytes, all its calls together.
func TestAModuleCannotFillTheDisk(t *testing.T) {
	dir := t.TempDir()
	h := open(t, strings.ReplaceAll(granted, "FOLDER", dir), host.Options{})
	fill := func(arguments string) (done struct {
		Files, Bytes int
		Why          string
	}) {
		r, err := h.Call(t.Context(), "rogue.fill", []byte(arguments))
		if err == nil {
			err = json.Unmarshal(r.JSON, &done)
		}
		if err != nil {
			t.Fatal(err)
		}
		return done
	}
	if r := fill(`{"piece": 3000000, "most": 1000}`); r.Files != 6 || !strings.Contains(r.Why, "maximum 20971520") {
		t.Errorf("%+v", r)
	}
	if r := fill(`{"piece": 10, "most": 1000}`); r.Files != 43 || !strings.Contains(r.Why, "maximum 50") {
		t.Errorf("%+v", r)
	}
	var bytes int64
	list, err := os.ReadDir(filepath.Join(dir, "fill"))
	for _, e := range list {
		if info, err := e.Info(); err == nil {
			bytes += info.Size()
		}
	}
	if err != nil || len(list) > 49 || bytes > 20<<20 {
		t.Errorf("%d files of %d bytes, %v", len(list), bytes, err)
	}
}

// Two hosts with the same policy, as two assistants start them, each with two
// processes of the plugin.
func TestNoWriteOfTwoHostsIsLost(t *testing.T) {
	dir, first := folder(t, host.Options{})
	h := open(t, strings.ReplaceAll(granted, "FOLDER", dir), host.Options{})
	second := func(format string, args ...any) (answer filesOf, err error) {
		r, err := h.Call(t.Context(), "rogue.files", fmt.Appendf(nil, "{"+format+"}", args...))
		if err != nil {
			return answer, err
		}
		return answer, json.Unmarshal(r.JSON, &answer)
	}
	if _, err := first(`"do": "create", "path": "n", "text": "0"`); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for _, do := range []func(string, ...any) (filesOf, error){first, first, second, second} {
		all.Go(func() {
			for done := 0; done < 10; {
				r, err := do(`"do": "read", "path": "n"`)
				if err != nil {
					t.Error(err)
					return
				}
				var n int
				fmt.Sscan(r.Text, &n)
				if _, err = do(`"do": "replace", "path": "n", "text": "%d", "version": %q`, n+1, r.Version); err == nil {
					done++
				} else if !strings.Contains(err.Error(), "changed meanwhile") {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	if r, err := first(`"do": "read", "path": "n"`); r.Text != "40" || err != nil {
		t.Errorf("counted to %s, %v", r.Text, err)
	}
}
