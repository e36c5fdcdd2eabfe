package examples

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/internal/built"
)

// notes is the example's policy with a folder of its own.
func notes(t *testing.T, edit ...string) (call func(tool, arguments string, flags ...string) (string, error), folder string) {
	t.Helper()
	b, err := os.ReadFile("notes/ringfence.hcl")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	bin, folder := built.Bin(t), filepath.Join(dir, "notes")
	text := strings.NewReplacer(append([]string{"../../bin", bin}, edit...)...).Replace(string(b))
	policy := filepath.Join(dir, "ringfence.hcl")
	if err := os.WriteFile(policy, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(folder, os.DirFS("notes/notes")); err != nil {
		t.Fatal(err)
	}
	return func(tool, arguments string, flags ...string) (string, error) {
		cmd := exec.Command(filepath.Join(bin, "ringfence"), append([]string{"call", "-p", policy, tool, arguments}, flags...)...)
		cmd.Env = append(cmd.Environ(), "XDG_STATE_HOME="+filepath.Join(dir, "state"))
		out, err := cmd.CombinedOutput()
		return string(out), err
	}, folder
}

// The native plugin works in its folder, jailed, through the built ringfence.
func TestTheNotesPluginAnswers(t *testing.T) {
	call, folder := notes(t)
	out, err := call("notes.search", `{"words": ["MACHINE", "folder"]}`)
	if err != nil || strings.Count(out, `"name": "welcome"`) != 1 {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := call("notes.add", `{"title": "Über  Ringe!", "text": "one\ntwo machine"}`); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	b, err := os.ReadFile(filepath.Join(folder, "über-ringe.md"))
	if err != nil || string(b) != "# Über Ringe!\n\none\ntwo machine\n" {
		t.Errorf("%q, %v", b, err)
	}
	if out, err := call("notes.add", `{"title": "über ringe", "text": "again"}`); err == nil || !strings.Contains(out, "already") {
		t.Errorf("a note was overwritten: %s", out)
	}
	out, err = call("notes.list", `{}`)
	var list struct {
		Notes []struct{ Name string }
		Total int
	}
	if err != nil || json.Unmarshal([]byte(out), &list) != nil || list.Total != 2 || list.Notes[0].Name != "über-ringe" {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := call("notes.read", `{"name": "welcome"}`); err != nil || !strings.Contains(out, "# Welcome") {
		t.Errorf("%v\n%s", err, out)
	}
}

// Its calls travel over the ring, with a folder that it can write to and with one that
// it cannot.
func TestTheNotesPluginIsOnTheRing(t *testing.T) {
	for name, edit := range map[string][]string{
		"writable":                nil,
		"read-only":               {`access = "write"`, `access = "read"`},
		"a process for each call": {`lifetime = "session"`, `lifetime = "call"`},
	} {
		t.Run(name, func(t *testing.T) {
			call, _ := notes(t, edit...)
			if out, err := call("notes.list", `{}`, "--json"); err != nil || !strings.Contains(out, `"transport": "ring"`) {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// Where the policy says "read", adding fails; and no name leads out of the folder.
func TestTheNotesPluginIsHeld(t *testing.T) {
	call, folder := notes(t, `access = "write"`, `access = "read"`)
	if out, err := call("notes.add", `{"title": "x", "text": "y"}`); err == nil || !strings.Contains(out, "read-only file system") {
		t.Errorf("%v\n%s", err, out)
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(folder, "link.md")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"link", "../ringfence", "/etc/passwd"} {
		if out, err := call("notes.read", `{"name": "`+name+`"}`); err == nil {
			t.Errorf("%s was read:\n%s", name, out)
		}
	}
}
