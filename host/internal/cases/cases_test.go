package cases

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestCompare(t *testing.T) {
	tests := []struct {
		name, want, got string
		partly          bool
		problem         string // "" for none
	}{
		{"equal", `{"a":[1,"x",null,true]}`, `{"a":[1,"x",null,true]}`, false, ""},
		{"numbers by value", `[1, 1e3, 0.10]`, `[1.0, 1000, 0.1]`, false, ""},
		{"numbers of many digits", `12345678901234567890`, `12345678901234567891`, false, "- 12345678901234567890"},
		{"a number too large to write out", `1e999999999`, `1e999999998`, false, "differs"},
		{"a text", `{"a":{"b":"x"}}`, `{"a":{"b":"y"}}`, false, "result.a.b differs:\n    - x\n    + y"},
		{"another type", `{"a":"1"}`, `{"a":1}`, false, "result.a differs"},
		{"a member too many", `{}`, `{"a":1}`, false, "result.a differs:\n    + 1"},
		{"more is allowed", `{"b":{"c":1}}`, `{"a":1,"b":{"c":1,"d":2}}`, true, ""},
		{"a member missing", `{"a":1}`, `{}`, true, "result.a differs:\n    - 1"},
		{"an element too many", `[1]`, `[1,2]`, true, "result[1] differs:\n    + 2"},
		{"an element missing", `[1,2]`, `[1]`, true, "result[1] differs:\n    - 2"},
		{"white space at the end", `"a "`, `"a\t"`, false, "- a·\n    + a→"},
		{"null and nothing", `{"a":null}`, `{}`, false, "result.a differs"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			want, err := decode([]byte(test.want))
			if err != nil {
				t.Fatal(err)
			}
			got, err := decode([]byte(test.got))
			if err != nil {
				t.Fatal(err)
			}
			problems := strings.Join(compare("result", want, got, test.partly), "\n")
			if (test.problem == "") != (problems == "") || !strings.Contains(problems, test.problem) {
				t.Errorf("got %q, want %q", problems, test.problem)
			}
		})
	}
}

func TestLinesShowWhatIsAround(t *testing.T) {
	got := lines("a\nb\nc\nd\ne\nf\ng", "a\nb\nc\nX\ne\nf\ng")
	if want := "      … 1 equal lines\n      b\n      c\n    - d\n    + X\n      e\n      f\n      … 1 equal lines"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestRequestLines(t *testing.T) {
	for given, want := range map[string]string{
		"https://A.example":                 "GET https://a.example/",
		"get https://a.example:443/x?b=%20": "GET https://a.example/x?b=%20",
		"POST http://a.example:80/":         "POST http://a.example/",
		"GET https://a.example:8443/":       "GET https://a.example:8443/",
		"GET /path":                         "",
		"GET ftp://a.example/":              "",
	} {
		if got, err := requestLine(given); got != want || (err == nil) != (want != "") {
			t.Errorf("%s: got %q, %v", given, got, err)
		}
	}
}

// TestNetworkIsClosed: whatever a tool asks for, there is an answer of the case or
// none, and each answer is given in its turn.
func TestNetworkIsClosed(t *testing.T) {
	n := newNetwork([]answer{{request: "GET https://a.example/", status: 200, body: []byte("1")}, {request: "GET https://a.example/", status: 404},
		{request: "GET https://b.example/", failure: "refused"}, {request: "GET https://c.example/", line: 7}})
	ask := func(method, url string) (int, error) {
		r, err := http.NewRequest(method, url, strings.NewReader("body"))
		if err != nil {
			t.Fatal(err)
		}
		response, err := n.RoundTrip(r)
		if err != nil {
			return 0, err
		}
		return response.StatusCode, response.Body.Close()
	}
	for i, want := range []int{200, 404, 404} {
		if got, err := ask("GET", "https://a.example:443"); got != want || err != nil {
			t.Errorf("%d: got %d, %v", i, got, err)
		}
	}
	if _, err := ask("GET", "https://b.example/"); err == nil || err.Error() != "refused" {
		t.Errorf("got %v", err)
	}
	if _, err := ask("POST", "https://a.example/"); err == nil {
		t.Error("a request without an answer was answered")
	}
	problems := strings.Join(n.problems(&[]string{"GET https://a.example/"}), "\n")
	for _, want := range []string{"asked for POST https://a.example/, for which the case has no answer", `nobody asked for the answer "GET https://c.example/" at line 7`, "the requests differ:"} {
		if !strings.Contains(problems, want) {
			t.Errorf("%q is not in\n%s", want, problems)
		}
	}
}

func TestMistakesInCases(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"syntax", `case "a" {`, ":1:"},
		{"unknown block", "case \"a\" {\n tool = \"t\"\n expct {\n }\n}", `Did you mean "expect"?`},
		{"no tool", `case "a" { expect {} }`, "single-line block definition"},
		{"no expect block", "case \"a\" {\n tool = \"t\"\n}", "A case without an expect block: Write expect { … }"},
		{"two expect blocks", "case \"a\" {\n tool = \"t\"\n expect {\n }\n expect {\n }\n}", "Only one expect block"},
		{"no cases", "plugin = \"m.wasm\"\n", "A file without cases"},
		{"a file that is a folder, too", "case \"a\" {\n tool = \"t\"\n files = { \"a\" = \"\", \"./a/b/c\" = \"\" }\n expect {\n }\n}", `"a" cannot be a file and, for "./a/b/c", a folder`},
		{"a folder that is a file, too", "case \"a\" {\n tool = \"t\"\n files = { \"a/b\" = \"\", \"a/b/\" = \"\" }\n expect {\n }\n}", `"a/b" cannot be a file and, for "a/b/", a folder`},
		{"two outcomes", "case \"a\" {\n tool = \"t\"\n expect {\n  result = 1\n  denied = \"x\"\n }\n}", "A call has a result"},
		{"no cause", "case \"a\" {\n tool = \"t\"\n expect {\n  cause = \"cpu\"\n }\n}", `"cpu" is not a cause`},
		{"one name twice", strings.Repeat("case \"a\" {\n tool = \"t\"\n expect {\n }\n}\n", 2), `another case "a"`},
		{"a path that leads out", "case \"a\" {\n tool = \"t\"\n files = { \"../x\" = \"\" }\n expect {\n }\n}", `"../x" is not a path inside`},
		{"an expected path that leads out", "case \"a\" {\n tool = \"t\"\n expect {\n  files = { \"/etc/passwd\" = \"\" }\n }\n}", "is not a path inside"},
		{"an answer to nothing", "case \"a\" {\n tool = \"t\"\n answer \"/x\" {\n }\n expect {\n }\n}", "is no https or http address"},
		{"two bodies", "case \"a\" {\n tool = \"t\"\n answer \"https://x/\" {\n  body = \"\"\n  json = 1\n }\n expect {\n }\n}", "Keep one of body, json and failure"},
		{"a status", "case \"a\" {\n tool = \"t\"\n answer \"https://x/\" {\n  status = 99\n }\n expect {\n }\n}", "200 to 599"},
		{"a file that is not there", "case \"a\" {\n tool = \"t\"\n input = file(\"nope\")\n expect {\n }\n}", "nope"},
		{"a device", "case \"a\" {\n tool = \"t\"\n input = file(\"/dev/zero\")\n expect {\n }\n}", "is not inside the plugin's folder"},
		{"a file of somebody else", "case \"a\" {\n tool = \"t\"\n input = file(\"../x\")\n expect {\n }\n}", "is not inside the plugin's folder"},
		{"a link that leads out", "case \"a\" {\n tool = \"t\"\n input = file(\"link\")\n expect {\n }\n}", "escapes"},
		{"a named pipe", "case \"a\" {\n tool = \"t\"\n input = file(\"pipe\")\n expect {\n }\n}", "is not a regular file"},
		{"text that steers a terminal", "case \"a\" {\n inptu = \"\x1b[31m\"\n}", "control character U+001B in the file of cases"},
		{"a name that steers a terminal", "case \"a\\u001b[2J\" {\n tool = \"t\"\n expect {\n }\n}", "is not one printable line"},
		{"a name of two lines", "case \"a\\n9 cases passed\" {\n tool = \"t\"\n expect {\n }\n}", "is not one printable line"},
		{"nesting without end", "case \"a\" {\n input = " + strings.Repeat("[", 2<<20) + "\n}", "file of cases is nested too deep"},
		{"a number without end", "case \"a\" {\n input = " + strings.Repeat("9", 3<<20) + "\n}", "number is too long"},
		{"a grant that nests without end", "case \"a\" {\n tool = \"t\"\n grant_hcl = \"a = " + strings.Repeat("[", 2<<20) + "\"\n expect {\n }\n}", "grant is nested too deep"},
		{"JSON that nests without end", "case \"a\" {\n tool = \"t\"\n input = jsondecode(\"" + strings.Repeat("[", 2<<20) + "\")\n expect {\n }\n}", "JSON that nests deeper than 128"},
		{"a grant that goes on with another plugin", "case \"a\" {\n tool = \"t\"\n grant_hcl = \"}\\nplugin \\\"x\\\" {\"\n expect {\n }\n}", "A grant that is not whole"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "x.case.hcl")
			err := errors.Join(os.WriteFile(path, []byte(test.text), 0o600), os.Symlink("/etc/hostname", filepath.Join(dir, "link")), syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600))
			if err != nil {
				t.Fatal(err)
			}
			_, err = Find(path, "m.wasm")
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

func TestJSONThatMustNotReachTheParser(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"arrays":         {strings.Repeat("[", 2<<20), "file of cases is nested too deep"},
		"a template":     {`{"case":{"a":{"tool":"t","input":"${` + strings.Repeat("[", 2<<20) + `}","expect":{}}}}`, "file of cases is nested too deep"},
		"another escape": {`{"case":{"a":{"tool":"t","input":"\u0024{` + strings.Repeat("!", 2<<20) + `true}","expect":{}}}}`, "expression is too long"},
		"a terminal":     {"{\"case\": \"\u009b2J\"}", "control character U+009B"},
	} {
		path := filepath.Join(t.TempDir(), "x.case.json")
		if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Find(path, "m.wasm"); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %.300v, want %s", name, err, tt.want)
		}
	}
}

// TestFilesOfAnUnprintableName: a report names them.
func TestFilesOfAnUnprintableName(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a\x1b[2J.case.hcl", "a\x1b[2J/b.case.hcl"} {
		file := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte("case \"a\" {\n}"), 0o600)); err != nil {
			t.Fatal(err)
		}
		if _, err := Find(dir, "m.wasm"); err == nil || !strings.Contains(err.Error(), `.case.hcl" is not the name`) || !strings.Contains(err.Error(), `a\x1b[2J`) {
			t.Errorf("%q: got %v", name, err)
		}
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
}

// TestOneMistakeInJSONIsOneError: what a parser says after the first follows from it.
func TestOneMistakeInJSONIsOneError(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"single quotes":     {`{'case': 1}`, "JSON value must start"},
		"no end":            {`{"case": {"a": {"tool": "t", "expect": {}}}`, "No closing brace"},
		"a text for a case": {`{"case": "x"}`, "specify name labels"},
		"a text for expect": {`{"case": {"a": {"tool": "t", "expect": "x"}}}`, `contents of one or more "expect" blocks`},
		"no expect":         {`{"case": {"a": {"tool": "t"}}}`, "without an expect block"},
		"a grant":           {`{"case": {"a": {"tool": "t", "grant": {"http": {}}, "expect": {}}}}`, "Write grant_hcl"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x.case.json")
			if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Find(path, "m.wasm")
			var mistakes *Error
			if !errors.As(err, &mistakes) || len(mistakes.Problems()) != 1 || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want just %s", err, tt.want)
			}
		})
	}
}

func TestFilesThatAreNoCases(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "main.go")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{path: "NAME.case.hcl", dir: "there are no cases in", filepath.Join(dir, "x"): "there is no "} {
		if _, err := Find(name, ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", name, err, want)
		}
	}
}

// TestGrantsKeepTheirLines: what package policies says of a grant has the line of the
// file of cases.
func TestGrantsKeepTheirLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.case.hcl")
	text := "# one\n# two\ncase \"a\" {\n  tool = \"t\"\n  grant {\n    lifetime = \"never\"\n  }\n  secrets = { s = \"${\\\"}\" }\n  expect {\n  }\n}\n"
	text = strings.ReplaceAll(text, `"${\"}"`, `"a\"$${b}"`)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	found, err := Find(path, "m.wasm")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	_, err = found[0].Policy(dir)
	if err == nil || !strings.HasPrefix(found[0].blame(dir, err).Error(), path+":6: unknown lifetime") {
		t.Errorf("got %v", err)
	}
}

// TestCasesReachNoFolderOfTheMachine: cases come with a plugin, and a workspace that
// they grant it can only be one of their own.
func TestCasesReachNoFolderOfTheMachine(t *testing.T) {
	for name, ok := range map[string]bool{"notes": true, "./a/b": true, "/etc": false, "../x": false, "a/../../x": false} {
		path := filepath.Join(t.TempDir(), "x.case.hcl")
		text := "case \"a\" {\n tool = \"t\"\n grant {\n  workspace \"w\" {\n   path = \"" + name + "\"\n   access = \"write\"\n  }\n }\n expect {\n }\n}\n"
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		found, err := Find(path, "m.wasm")
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		policy, err := found[0].Policy(dir)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := found[0].checkReach(policy, dir); (err == nil) != ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLinksThatAPluginMadeAreNotFollowed: a native plugin can write a link into its
// workspace, and what it leads to would be printed.
func TestLinksThatAPluginMadeAreNotFollowed(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	e := expectation{files: map[string]string{"link": "x"}}
	if problems := e.filesIn(dir); len(problems) != 1 || !strings.Contains(problems[0], "it is not a regular file") {
		t.Errorf("got %q", problems)
	}
}
