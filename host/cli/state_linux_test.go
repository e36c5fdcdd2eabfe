package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAStateFolderThatCannotBeTrustedOrUsedIsRefused(t *testing.T) {
	d := deploy(t, simple)
	for name, tt := range map[string]struct {
		make func(path string) error
		says string
	}{
		"a file":                 {func(path string) error { return os.WriteFile(path, nil, 0o600) }, "not a directory"},
		"a broken link":          {func(path string) error { return os.Symlink("nowhere/at/all", path) }, "file exists"},
		"others can write to it": {func(path string) error { return mkdir(path, 0o777) }, "chmod go-w"},
		"others can replace it":  {func(path string) error { return mkdir(filepath.Dir(path), 0o777) }, "lets anybody replace"},
		"somebody else's":        {func(path string) error { return someoneElses(path) }, "owned by uid 4242"},
		"a link to a device":     {func(path string) error { return os.Symlink("/dev/null", path) }, "not a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "somebody else's" && os.Getuid() != 0 {
				t.Skip("only root can give a folder away")
			}
			state := filepath.Join(t.TempDir(), "parent", "state")
			if err := os.MkdirAll(filepath.Dir(state), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := tt.make(state); err != nil {
				t.Fatal(err)
			}
			d.write("ringfence.hcl", strings.Replace(d.expand(simple), d.state, state, 1))
			d.run("call", "jq.run").wantLine(t, 2, "state folder", tt.says, "state_dir")
			if _, err := os.Lstat(filepath.Join(state, "audit.jsonl")); err == nil {
				t.Error("it was written to before it was checked")
			}
		})
	}
}

func mkdir(path string, mode os.FileMode) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	return os.Chmod(path, mode)
}

func someoneElses(path string) error {
	if err := mkdir(path, 0o700); err != nil {
		return err
	}
	return os.Chown(path, 4242, 4242)
}

// A socket's path has room for 107 bytes, and this one leaves none for a name.
func TestTheStateFolderMayBeDeep(t *testing.T) {
	d := deploy(t, simple)
	deep := filepath.Join(d.state, strings.Repeat("deep/", 40), "ringfence")
	d.write("ringfence.hcl", strings.Replace(d.expand(simple), d.state, deep, 1))
	modules := filepath.Join(deep, "modules")
	if err := os.MkdirAll(modules, 0o700); err != nil {
		t.Fatal(err)
	}
	compiled, err := filepath.Glob(filepath.Join(d.state, "modules", "*"))
	if err != nil || len(compiled) == 0 {
		t.Fatalf("nothing is compiled (%v)", err)
	}
	for _, path := range compiled {
		if err := os.Link(path, filepath.Join(modules, filepath.Base(path))); err != nil {
			t.Fatal(err)
		}
	}
	if out := d.run("call", "jq.run", `{"program": ".", "input": 1}`); out.code != 0 {
		t.Fatalf("%+v", out)
	}
}
