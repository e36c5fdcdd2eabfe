package cli_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The README shows code and a policy. They are compiled and loaded here as they
// stand, so that they cannot rot.
func TestTheREADMEIsTrue(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```(\\w+)\n(.*?)```").FindAllStringSubmatch(string(readme), -1)
	first := func(language string) string {
		for _, b := range blocks {
			if b[1] == language {
				return b[2]
			}
		}
		t.Fatalf("the README has no %s", language)
		return ""
	}
	d := deploy(t, simple)

	// The policy is the quickstart's, with comments and one list cut short.
	shown := regexp.MustCompile(`\s*#[^\n]*`).ReplaceAllString(first("hcl"), "")
	example, err := os.ReadFile("../../examples/quickstart/ringfence.hcl")
	if err != nil {
		t.Fatal(err)
	}
	actual := regexp.MustCompile(`\s*#[^\n]*`).ReplaceAllString(string(example), "")
	actual = regexp.MustCompile(`paths   = .*`).ReplaceAllString(actual, `paths   = ["/repos/*/*/issues/**", …]`)
	if strings.Join(strings.Fields(shown), " ") != strings.Join(strings.Fields(actual), " ") {
		t.Errorf("the README's policy is not examples/quickstart/ringfence.hcl:\n%s", shown)
	}

	// The tool builds with the command that is shown, inside this module, and
	// answers.
	dir, err := os.MkdirTemp("../../plugins/tools", "readme-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(first("go")), 0o600); err != nil {
		t.Fatal(err)
	}
	command := regexp.MustCompile(`GOOS=wasip1[^\n]*`).FindString(string(readme))
	build := exec.Command("sh", "-c", command)
	build.Dir = dir
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
	module, err := os.ReadFile(filepath.Join(dir, "repeat.wasm"))
	if err != nil {
		t.Fatal(err)
	}
	d.write("repeat.wasm", string(module))
	d.write("ringfence.hcl", d.expand(strings.Replace(simple, "TOOLS/jq.wasm", "DIR/repeat.wasm", 1)))
	if out := d.run("call", "jq.repeat", `{"text": "ha"}`); out.code != 0 || !strings.Contains(out.stdout, "haha") {
		t.Fatalf("%+v", out)
	}
}

// So does the page about native plugins: its policy loads, and its program builds
// and answers through the host.
func TestTheNativePluginsPageIsTrue(t *testing.T) {
	page, err := os.ReadFile("../../docs/native-plugins.md")
	if err != nil {
		t.Fatal(err)
	}
	block := func(language string) string {
		m := regexp.MustCompile("(?s)```" + language + "\n(.*?)```").FindStringSubmatch(string(page))
		if m == nil {
			t.Fatalf("the page has no %s", language)
		}
		return m[1]
	}
	d := deploy(t, simple)
	d.write("ringfence.hcl", d.expand("ringfence {\n  state_dir = \"STATE\"\n}\n")+block("hcl"))
	if out := d.run("validate"); out.code != 0 || !strings.Contains(out.stdout, "source is not there yet") {
		t.Errorf("%+v", out)
	}
	dir, err := os.MkdirTemp("../../examples", "page-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(block("go")), 0o600); err != nil {
		t.Fatal(err)
	}
	command := regexp.MustCompile(`CGO_ENABLED=0 go build[^\n]*`).FindString(string(page))
	build := exec.Command("sh", "-c", command)
	build.Dir = dir
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
	if err := os.Rename(filepath.Join(dir, "size"), filepath.Join(d.dir, "size")); err != nil {
		t.Fatal(err)
	}
	docs := filepath.Join(d.dir, "docs")
	if err := os.Mkdir(docs, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(docs, "a"), []byte("four"), 0o644); err != nil {
		t.Fatal(err)
	}
	d.write("ringfence.hcl", d.expand("ringfence {\n  state_dir = \"STATE\"\n}\nplugin \"p\" {\n  source = \"./size\"\n  workspace \"docs\" {\n    path = \"./docs\"\n  }\n}\n"))
	if out := d.run("call", "p.size", `{"name": "a"}`); out.code != 0 || !strings.Contains(out.stdout, `"bytes": 4`) {
		t.Errorf("%+v", out)
	}
	if out := d.run("inspect", "size"); out.code != 0 || !strings.Contains(out.stdout, "native program") {
		t.Errorf("%+v", out)
	}
	out := d.run("inspect", filepath.Join(d.bin, "lib", "libwasmer.so"))
	if out.code != 2 || !strings.Contains(out.stderr, "is a library, not a program") {
		t.Errorf("a library: %+v", out)
	}
}

// wantTranscript checks that the demo's part in the README is what the demo
// prints: the same scenes with the same answers, whatever the times, the port and
// where a long line is cut.
func wantTranscript(t *testing.T, demo string) {
	t.Helper()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(readme), "## What it looks like")
	_, text, _ = strings.Cut(text, "```\n")
	text, _, _ = strings.Cut(text, "```\n")
	if strings.Count(text, "$ ringfence call") < 6 {
		t.Fatalf("the README shows too little of the demo:\n%s", text)
	}
	took := regexp.MustCompile(`^ *[0-9.]+(ms|s|µs)\b`)
	varying := regexp.MustCompile(`127\.0\.0\.1:\d+|\d+(\.\d+)?s \(cpu|\(\d+ in use\)|process \d+|gRPC +[0-9.]+ .?s  ring +[0-9.]+ .?s  \d+ times`)
	demo = varying.ReplaceAllString(demo, "*")
	for line := range strings.Lines(text) {
		if took.MatchString(line) {
			continue
		}
		for part := range strings.SplitSeq(strings.TrimSpace(line), "…") {
			if part = varying.ReplaceAllString(part, "*"); !strings.Contains(demo, part) {
				t.Errorf("the demo does not print what the README shows, %q", part)
			}
		}
	}
}
