package cli_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/internal/built"
)

// author is a folder as an author of tools has it: the commands in the path, built in
// a checkout of this repository, which is in "ringfence".
type author struct {
	t   *testing.T
	dir string
	env []string
}

func newAuthor(t *testing.T) *author {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	a := &author{t: t, dir: t.TempDir()}
	if err := os.Symlink(root, filepath.Join(a.dir, "ringfence")); err != nil {
		t.Fatal(err)
	}
	a.env = append(os.Environ(), "PATH="+built.Bin(t)+string(os.PathListSeparator)+os.Getenv("PATH"),
		"XDG_STATE_HOME="+filepath.Dir(built.State(t)), "GOWORK=off")
	return a
}

// run runs a script of sh, as somebody would type it, and returns what it prints and
// the folder that it ends in.
func (a *author) run(dir, script string) (output string, code int, end string) {
	a.t.Helper()
	pwd := filepath.Join(a.t.TempDir(), "pwd")
	cmd := exec.Command("sh", "-e", "-c", script+"\npwd >"+pwd)
	cmd.Dir, cmd.Env = dir, a.env
	out, err := cmd.CombinedOutput()
	if _, ended := err.(*exec.ExitError); err != nil && !ended {
		a.t.Fatal(err)
	}
	where, _ := os.ReadFile(pwd)
	return string(out), cmd.ProcessState.ExitCode(), strings.TrimSpace(string(where))
}

func TestNewToolWorks(t *testing.T) {
	a := newAuthor(t)
	out, code, dir := a.run(a.dir, "ringfence new my-tool\ncd my-tool\nmake test\nmake call")
	if code != 0 || !strings.Contains(out, "4 cases passed") || !strings.Contains(out, `"words": 4`) || !strings.Contains(out, "make test\n  make call") {
		t.Fatalf("exit code %d\n%s", code, out)
	}
	if out, code, _ := a.run(dir, "gofmt -l .; go vet ./...; GOOS=wasip1 GOARCH=wasm go vet ./...; ringfence validate"); code != 0 || strings.Contains(out, ".go\n") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	// What fails is told, and told apart.
	tests := []struct {
		name, script string
		code         int
		want         []string
	}{
		{"a result", "sed -i 's/words = 3, lines = 2/words = 4, lines = 2/' cases/*; ringfence test --run 'a text$'", 1,
			[]string{"FAIL  counts a text (", "cases/my-tool.case.hcl:4", "result.words differs:", "- 4\n", "+ 3\n", "0 cases passed, 1 failed, 3 not run"}},
		{"a request", "sed -i 's,com/text\" { # instead,com/texts\" { # instead,' cases/*; ringfence test --run address", 1,
			[]string{"the tool asked for GET https://example.com/text, for which the case has no answer", `nobody asked for the answer "GET https://example.com/texts" at line 25`}},
		{"as JSON", "ringfence test --json", 1, []string{`"failed": 2`, `"line": 4`}},
		{"a name", "sed -i 's/bad_arguments/bad_argument/' cases/*; ringfence test", 2,
			[]string{"my-tool.case.hcl line 48", `An argument named "bad_argument" is not expected here. Did you mean "bad_arguments"?`}},
		{"a name, as JSON", "ringfence test --json", 2, []string{`"kind": "cases"`, `"line": 48`, `Did you mean \"bad_arguments\"?`}},
		{"a file that is no case", "ringfence test main.go", 2, []string{"main.go is no file of cases: these are called NAME.case.hcl"}},
		{"a grant", "sed -i 's/bad_argument/bad_arguments/; s/allow \"ex/alow \"ex/' cases/*; ringfence test", 2,
			[]string{`cases/my-tool.case.hcl:20: unknown block "alow"`, `Did you mean "allow"?`}},
		{"a filter", "ringfence test --run nothing", 2, []string{"matches none of the 4 cases"}},
		{"a pattern", "ringfence test --run '('", 2, []string{"is not a regular expression"}},
		{"no cases", "mkdir empty; ringfence test empty", 2, []string{"there are no cases in empty"}},
		{"no plugin", "cp cases/* empty/; sed -i /^plugin/d empty/*; ringfence test empty", 2, []string{"there are 0 .wasm files in empty"}},
		{"a module that is not there", "ringfence test --plugin nope.wasm cases", 2, []string{"nope.wasm"}},
	}
	for _, test := range tests {
		out, code, _ := a.run(dir, test.script)
		for _, want := range test.want {
			if code != test.code || !strings.Contains(out, want) {
				t.Errorf("%s: exit code %d, want %d and %q in\n%s", test.name, code, test.code, want, out)
			}
		}
	}
}

func TestNewRefuses(t *testing.T) {
	a := newAuthor(t)
	tests := []struct{ name, script, want string }{
		{"a name with capitals", "ringfence new MyTool", `did you mean "mytool"?`},
		{"a path as a name", "ringfence new ../x", `"../x" cannot be the name of a plugin`},
		{"a module that is none", "ringfence new x --module 'a b'", "cannot be the path of a Go module; write one such as example.com/x"},
		{"another checkout", "mkdir other; ringfence new x --sdk other", "is not a checkout of ringfence"},
		{"another module", "echo module example.com/x >other/go.mod; ringfence new x --sdk other", "is not a checkout of ringfence"},
		{"no SDK", "mkdir bin; cp $(command -v ringfence) bin; bin/ringfence new x", "there is no SDK to build against"},
		{"no SDK, and one that somebody else could have put in the way",
			"mkdir -p a/b/c; echo module github.com/ringfence/ringfence >a/go.mod; cp bin/ringfence a/b/c; a/b/c/ringfence new x", "with --sdk DIR"},
		{"no name", "ringfence new", "takes NAME"},
		{"a folder that is a file", "echo >f; ringfence new x --dir f/x", "something on the way to f/x/.gitignore is a file"},
		{"a file that is there", "mkdir x; echo mine >x/Makefile; ringfence new x", "x/Makefile is already there; nothing was written"},
	}
	for _, test := range tests {
		if out, code, _ := a.run(a.dir, test.script); code != 2 || !strings.Contains(out, test.want) {
			t.Errorf("%s: exit code %d\n%s", test.name, code, out)
		}
	}
	// Who has called it by its path is told how make finds it.
	if out, code, _ := a.run(a.dir, `r=$(command -v ringfence); PATH=/nowhere "$r" new unfound; echo "make test RINGFENCE=$r" >want`); code != 0 {
		t.Errorf("exit code %d\n%s", code, out)
	} else if want, err := os.ReadFile(filepath.Join(a.dir, "want")); err != nil || !strings.Contains(out, "  "+string(want)) {
		t.Errorf("%v: %s is not in\n%s", err, want, out)
	}
	left, err := filepath.Glob(filepath.Join(a.dir, "x", "*"))
	if text, _ := os.ReadFile(filepath.Join(a.dir, "x", "Makefile")); err != nil || len(left) != 1 || string(text) != "mine\n" {
		t.Errorf("it left %v with %q", left, text)
	}
	out, code, _ := a.run(a.dir, "ringfence new y --dir deep/folder --module example.com/y --sdk ringfence --json")
	var got struct {
		OK    bool
		SDK   string
		Files []string
		Next  []string
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != 0 || !got.OK || len(got.Files) != 8 || got.Next[0] != "cd deep/folder" {
		t.Errorf("exit code %d, %v\n%s", code, err, out)
	}
	root, err := filepath.EvalSymlinks(filepath.Join(a.dir, "ringfence"))
	mod, _ := os.ReadFile(filepath.Join(a.dir, "deep/folder/go.mod"))
	if !strings.HasPrefix(string(mod), "module example.com/y\n") || err != nil || got.SDK != root || !strings.Contains(string(mod), root) {
		t.Errorf("the SDK is %q, go.mod %s", got.SDK, mod)
	}
}

// TestTheWritingPageIsTrue follows docs/writing-a-tool.md: it writes each file that
// has a name, runs each command, and looks for what the page says comes of it.
func TestTheWritingPageIsTrue(t *testing.T) {
	page, err := os.ReadFile("../../docs/writing-a-tool.md")
	if err != nil {
		t.Fatal(err)
	}
	text, _, _ := strings.Cut(string(page), "\n## Cases in full")
	a := newAuthor(t)
	dir, output, files, commands := a.dir, "", 0, 0
	failing := false
	for _, b := range regexp.MustCompile("(?s)([^\n]*)\n\n```(\\w*)\n(.*?)```").FindAllStringSubmatch(text, -1) {
		name := regexp.MustCompile("^`([^`]+)`:$").FindStringSubmatch(b[1])
		switch {
		case name != nil:
			if err := os.WriteFile(filepath.Join(dir, name[1]), []byte(b[3]), 0o644); err != nil {
				t.Fatal(err)
			}
			files++
		case b[2] == "sh":
			var code int
			if output, code, dir = a.run(dir, b[3]); code != 0 {
				t.Fatalf("exit code %d of\n%s\n%s", code, b[3], output)
			}
			commands++
		case b[2] == "":
			if failing = strings.HasPrefix(b[3], "FAIL"); failing { // "With `minutes = 2` in the first one:"
				output, _, _ = a.run(dir, "sed 's/minutes = 1 /minutes = 2 /' cases/readtime.case.hcl >cases/wrong.case.hcl; ringfence test cases/wrong.case.hcl || rm cases/wrong.case.hcl")
				output = strings.ReplaceAll(output, "wrong.case", "readtime.case")
			}
			for line := range strings.Lines(b[3]) {
				for part := range strings.SplitSeq(strings.TrimSuffix(line, "\n"), "…") {
					if !strings.Contains(output, part) {
						t.Errorf("%q is not in\n%s", part, output)
					}
				}
			}
		default:
			t.Errorf("a block of %s that is neither written nor run:\n%s", b[2], b[3])
		}
	}
	if files != 4 || commands != 4 {
		t.Errorf("the page has %d files and %d commands", files, commands)
	}
	if out, _, _ := a.run(dir, "gofmt -l ."); out != "" {
		t.Errorf("not as gofmt would have it: %s", out)
	}
}
