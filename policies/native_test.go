package policies

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func parseOne(t *testing.T, text string) (*Policy, *Plugin) {
	t.Helper()
	p, err := Parse("/policies/test.hcl", []byte(text), Options{LookupEnv: env("HOME", "/home/user")})
	if err != nil {
		t.Fatal(err)
	}
	return p, p.Plugins()[0]
}

// What kind a source is shows when the file is there; the block has to fit it.
func TestABlockThatDoesNotFitItsSourceIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		block          string
		module, native string // what the error holds; "" for none
	}{
		"nothing set":             {``, "", ""},
		"the filter of modules":   {`seccomp = "wasm"`, "", ""},
		"the filter of programs":  {`seccomp = "native"`, `test.hcl:3: seccomp = "native" on a WebAssembly module`, ""},
		"an engine":               {`engine = "wasmer"`, "", "engine on a native plugin"},
		"unmetered":               {"limits {\nfuel = 0\n}", "", ""},
		"little memory":           {"limits {\nmemory = \"1MiB\"\n}", "", "memory is too small"},
		"a workspace":             {"workspace \"w\" {\npath = \"/srv\"\n}", "", ""},
		"a workspace with limits": {"workspace \"w\" {\npath = \"/srv\"\naccess = \"write\"\nmax_files = 3\n}", "", "a limit of the workspace of a native plugin"},
		"a named exception":       {"workspace \"w\" {\npath = \"/srv\"\ninclude = [\".env\"]\n}", "", "a limit of the workspace of a native plugin"},
		"files without files":     {"seccomp = \"wasm\"\nworkspace \"w\" {\npath = \"/srv\"\n}", "", `a workspace under seccomp = "wasm"`},
		"the loader's variables":  {"env = {\nLD_PRELOAD = \"x\"\n}", "", "env LD_PRELOAD on a native plugin"},
		"the host's variables":    {"env = {\nRINGFENCE_PLUGIN = \"x\"\n}", "", "env RINGFENCE_PLUGIN"},
		"go-plugin's variables":   {"env = {\nPLUGIN_MIN_PORT = \"x\"\n}", "", "env PLUGIN_MIN_PORT"},
		"variables of its own":    {"env = {\nLANG = \"C\"\n}", "", ""},
		"everything of a program": {"seccomp = \"native\"\nworkspace \"w\" {\npath = \"/srv\"\naccess = \"write\"\n}", "on a WebAssembly module", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, p := parseOne(t, "plugin \"p\" {\nsource = \"./p\"\n"+c.block+"\n}\n")
			for kind, want := range map[Kind]string{KindWASM: c.module, KindNative: c.native} {
				err := p.Fits(kind)
				if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
					t.Errorf("a source of kind %q: %v (want %q)", kind, err, want)
				}
			}
		})
	}
}

func TestTheFilterFollowsFromTheSource(t *testing.T) {
	for block, want := range map[string][2]Filter{
		``:                   {FilterWASM, FilterNative},
		`seccomp = "wasm"`:   {FilterWASM, FilterWASM},
		`seccomp = "native"`: {FilterNative, FilterNative},
	} {
		_, p := parseOne(t, "plugin \"p\" {\nsource = \"./p\"\n"+block+"\n}\n")
		if got := [2]Filter{p.Filter(KindWASM), p.Filter(KindNative)}; got != want {
			t.Errorf("%s: %v, want %v", block, got, want)
		}
	}
}

func TestWorkspaces(t *testing.T) {
	_, p := parseOne(t, `plugin "p" {
  source = "./p"
  workspace "notes" {
    path   = "./notes"
    access = "write"
  }
  workspace "docs" {
    path = "~/docs"
  }
}
`)
	got := p.Workspaces()
	if len(got) != 2 || got[0].Name != "notes" || got[0].Path != "/policies/notes" || !got[0].Write ||
		got[1].Path != "/home/user/docs" || got[1].Write || got[1].DeclRange() != "test.hcl:7" ||
		got[1].MaxFile != 16<<20 || got[1].MaxGrowth != 256<<20 || got[1].MaxFiles != 10_000 {
		t.Errorf("%+v", got)
	}
}

// A link leads where the written path does not.
func TestAWorkspaceThatLinksToWhatIsGuardedIsRefused(t *testing.T) {
	dir := t.TempDir()
	state, plain, link := filepath.Join(dir, "state"), filepath.Join(dir, "plain"), filepath.Join(dir, "link")
	for _, d := range []string{state, plain} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(state, link); err != nil {
		t.Fatal(err)
	}
	p, plugin := parseOne(t, "ringfence {\nstate_dir = \""+state+"\"\n}\nplugin \"p\" {\nsource = \"./p\"\nworkspace \"w\" {\npath = \""+link+"\"\n}\n}\n")
	w := plugin.Workspaces()[0]
	if err := p.CheckWorkspace(w, state); err == nil || !strings.Contains(err.Error(), "reaches the host's state_dir") {
		t.Errorf("a link to the state folder: %v", err)
	}
	if err := p.CheckWorkspace(w, dir); err == nil {
		t.Error("the folder above the state folder is accepted")
	}
	if err := p.CheckWorkspace(w, plain); err != nil {
		t.Error(err)
	}
}

// Who may write to a folder can put a link in the place of what is in it.
func TestAWorkspaceInAWritableOneStaysThere(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{"outer/real", "home"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{"way": "outer", "hop": filepath.Join(dir, "outer", "inner"), "plain": "home"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		outer, access, path, target string
		refused                     bool
	}{
		{"outer", "write", "outer/inner", "home", true},
		{"outer", "write", "outer/inner", "outer/real", false},
		{"outer", "write", "outer/inner/../inner", "home", true},
		{"outer", "read", "outer/inner", "home", false},
		{"way", "write", "outer/inner", "home", true},
		{"outer", "write", "way/inner", "home", true},
		{"outer", "write", "hop", "home", true},
		{"way", "write", "hop", "outer/real", false},
		{"outer", "write", "plain", "home", false},
		{"outer", "write", "way", "outer", false},
		{"gone", "write", "plain", "home", false},
	} {
		inner, target := filepath.Join(dir, "outer", "inner"), filepath.Join(dir, tt.target)
		_ = os.Remove(inner)
		if err := os.Symlink(target, inner); err != nil {
			t.Fatal(err)
		}
		p, err := Parse(filepath.Join(dir, "policy", "test.hcl"), fmt.Appendf(nil, `
ringfence {
  state_dir = "/nonexistent/state"
}
plugin "writer" {
  source = "/nonexistent/writer"
  workspace "w" {
    path   = %q
    access = %q
  }
}
plugin "reader" {
  source = "/nonexistent/reader"
  workspace "r" {
    path = %q
  }
}`, filepath.Join(dir, tt.outer), tt.access, dir+"/"+tt.path), Options{})
		if err != nil {
			t.Fatal(err)
		}
		reader, _ := p.Plugin("reader")
		err = p.CheckWorkspace(reader.Workspaces()[0], target)
		if refused := err != nil && strings.Contains(err.Error(), "out of the workspace"); refused != tt.refused || err != nil && !refused {
			t.Errorf("%s for %s, %s to %s: %v", tt.access, tt.outer, tt.path, tt.target, err)
		}
	}
	// Links that go on for ever are not followed for ever.
	if err := os.Symlink("loop", filepath.Join(dir, "loop")); err != nil {
		t.Fatal(err)
	}
	if _, err := foldersOnTheWay(filepath.Join(dir, "loop")); err == nil {
		t.Error("a loop has an end")
	}
}
