package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/pluginkit/guest/guesttest"
)

func use(t *testing.T, files map[string]string) *guesttest.Workspace {
	t.Helper()
	w := &guesttest.Workspace{Files: files}
	(&guesttest.Host{Workspaces: map[string]*guesttest.Workspace{"notes": w}}).Use(t)
	return w
}

func call[Result any](t *testing.T, tool string, args any) (result Result, err error) {
	t.Helper()
	encoded, err := json.Marshal(args)
	if err != nil {
		t.Fatal(err)
	}
	text, err := guesttest.Call(tool, string(encoded))
	if err == nil {
		if err := json.Unmarshal(text, &result); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
	}
	return result, err
}

type object = map[string]any

func TestNotesAreWrittenReadAndFound(t *testing.T) {
	w := use(t, map[string]string{"other.txt": "tide", "old.md": "# Old\n\nNothing."})
	made, err := call[Written](t, "create", object{"title": " Über  Ringe! (2) ", "text": "\nOne tide.\n\n", "folder": "/errands/"})
	if err != nil || made.Name != "errands/über-ringe-2" || w.Files["errands/über-ringe-2.md"] != "# Über Ringe! (2)\n\nOne tide.\n" {
		t.Fatalf("%+v, %v, %q", made, err, w.Files)
	}
	for _, text := range []string{"Two TIDES.", "\n- a\n- b\n"} {
		if _, err := call[Written](t, "append", object{"name": made.Name + ".md", "text": text}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := call[ReadResult](t, "read", object{"name": made.Name})
	if err != nil || got.Text != "# Über Ringe! (2)\n\nOne tide.\n\nTwo TIDES.\n\n- a\n- b\n" || got.Next != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := call[Written](t, "append", object{"name": "old", "text": "More."}); err != nil || w.Files["old.md"] != "# Old\n\nNothing.\n\nMore.\n" {
		t.Errorf("%v, %q", err, w.Files["old.md"])
	}
	listed, err := call[ListResult](t, "list", object{})
	if err != nil || listed.Total != 2 || listed.More {
		t.Errorf("%+v, %v", listed, err)
	}
	if listed, err := call[ListResult](t, "list", object{"folder": "errands", "limit": 1}); err != nil || listed.Total != 1 || listed.Notes[0].Name != made.Name {
		t.Errorf("%+v, %v", listed, err)
	}
	found, err := call[SearchResult](t, "search", object{"query": `tide "two  tides"`})
	if err != nil || found.Total != 1 || found.Matches[0].Hits != 3 || found.Matches[0].Lines[1] != (Line{5, "Two TIDES."}) || found.Matches[0].Title != "Über Ringe! (2)" {
		t.Errorf("%+v, %v", found, err)
	}
}

func TestSearchRanks(t *testing.T) {
	use(t, map[string]string{
		"once.md": "moon", "often.md": "moon moon moon", "moon.md": "# Else\n\nmoon", "titled.md": "# The Moon\n\n\n", "no.md": "sun", "half.md": "moons of Jupiter",
		"binary.md": "moon \xff\xfe moon moon moon moon",
	})
	found, err := call[SearchResult](t, "search", object{"query": "MOON", "limit": 4})
	var names []string
	for _, m := range found.Matches {
		names = append(names, m.Name)
	}
	if err != nil || found.Total != 6 || strings.Join(names[:2], " ") != "moon titled" && strings.Join(names[:2], " ") != "titled moon" || names[2] != "binary" || names[3] != "often" {
		t.Errorf("%v of %d, %v", names, found.Total, err)
	}
}

func TestMistakesAreExplained(t *testing.T) {
	w := use(t, map[string]string{"ideas.md": "x", "folder.md/in.md": "y", "large.md": strings.Repeat("x", maxNote+1)})
	tests := []struct {
		name, tool string
		args       object
		want       string
		bad        bool
	}{
		{"no such note", "read", object{"name": "idea"}, `there is no note "idea"; there is ["ideas"]`, false},
		{"no such note to append to", "append", object{"name": "none", "text": "x"}, `there is no note "none"`, false},
		{"a way out", "read", object{"name": "../etc/passwd"}, "is not the name of a note", true},
		{"an absolute path", "append", object{"name": "/etc/passwd", "text": "x"}, "is not the name of a note", true},
		{"no name", "read", object{"name": " "}, "is not the name of a note", true},
		{"a folder", "read", object{"name": "folder"}, "is a folder, not a note", false},
		{"too large", "read", object{"name": "large"}, "(maximum 1048576)", false},
		{"too much", "append", object{"name": "ideas", "text": strings.Repeat("y", maxNote)}, "(maximum 1048576)", true},
		{"there already", "create", object{"title": "Ideas", "text": "z"}, `there is already a note "ideas"`, false},
		{"no title", "create", object{"title": "!!!", "text": "z"}, "has no letter or digit", true},
		{"a folder outside", "create", object{"title": "x", "text": "z", "folder": "../.."}, "is not the name of a note", true},
		{"beyond the end", "read", object{"name": "ideas", "start": 1}, "1 is beyond its end", true},
		{"nothing to look for", "search", object{"query": ` "" `}, "no word", true},
		{"nothing to add", "append", object{"name": "ideas", "text": " \n"}, "nothing in it", true},
		{"no such folder", "list", object{"folder": "nope"}, `there is no folder "nope"`, false},
	}
	for _, test := range tests {
		_, err := call[object](t, test.tool, test.args)
		if err == nil || !strings.Contains(err.Error(), test.want) || errors.Is(err, guesttest.ErrBadArguments) != test.bad {
			t.Errorf("%s: got %v, want %s", test.name, err, test.want)
		}
	}
	w.ReadOnly = true
	if _, err := call[Written](t, "create", object{"title": "new", "text": ""}); err == nil || !strings.Contains(err.Error(), `access = "read"`) {
		t.Errorf("in a folder that is only read: %v", err)
	}
	if w.Files["ideas.md"] != "x" {
		t.Errorf("a note was changed: %q", w.Files["ideas.md"])
	}
}

// TestAppendIsOneStep: somebody else appends after this one has looked.
func TestAppendIsOneStep(t *testing.T) {
	w := use(t, map[string]string{"log.md": "# Log\n"})
	w.Refuse = func(operation, path string) error {
		if operation == "append" {
			w.Files[path] += "\nTheirs.\n"
		}
		return nil
	}
	if _, err := call[Written](t, "append", object{"name": "log", "text": "Ours."}); err != nil || w.Files["log.md"] != "# Log\n\nTheirs.\n\nOurs.\n" {
		t.Errorf("%v, %q", err, w.Files["log.md"])
	}
}

// TestNotesThatVanish: others remove notes while they are listed and searched.
func TestNotesThatVanish(t *testing.T) {
	files := map[string]string{}
	for i := range 50 {
		files[fmt.Sprintf("n%02d.md", i)] = "moon"
	}
	w := use(t, files)
	w.Refuse = func(operation, path string) error {
		if operation == "read" && path == "n07.md" {
			delete(w.Files, path)
		}
		return nil
	}
	if found, err := call[SearchResult](t, "search", object{"query": "moon"}); err != nil || found.Total != 49 {
		t.Errorf("%d, %v", found.Total, err)
	}
}

func TestModule(t *testing.T) {
	_, module := guesttest.Build(t, ".")
	if module.Size > 4_500_000 {
		t.Errorf("the module has %d bytes", module.Size)
	}
}
