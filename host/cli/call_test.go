package cli_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const simple = `
ringfence {
  state_dir = "STATE"
}
plugin "jq" {
  source = "TOOLS/jq.wasm"
}
plugin "rogue" {
  source = "TOOLS/rogue.wasm"
  limits {
    memory   = "64MiB"
    cpu_time = "1s"
  }
}
`

func TestCallTakesArgumentsFromTextFileAndStandardInput(t *testing.T) {
	d := deploy(t, simple)
	const arguments = `{"program": ".a + 1", "input": {"a": 41}}`
	file := d.write("arguments.json", arguments)
	for name, out := range map[string]output{
		"text":           d.run("call", "jq.run", arguments),
		"file":           d.run("call", "jq.run", "@"+file),
		"standard input": d.runWith(strings.NewReader(arguments), "call", "jq.run", "-"),
		"only tool":      d.run("call", "jq", arguments),
	} {
		var got struct{ Outputs []int }
		if err := json.Unmarshal([]byte(out.stdout), &got); err != nil || out.code != 0 || len(got.Outputs) != 1 || got.Outputs[0] != 42 {
			t.Errorf("%s: %+v", name, out)
		}
	}
}

func TestCallAsJSON(t *testing.T) {
	d := deploy(t, simple)
	out := d.run("call", "jq.run", `{"program": ".", "input": "x"}`, "--json")
	var got struct {
		OK         bool
		Tool       string
		Result     struct{ Outputs []string }
		Transport  string
		DurationMS *float64 `json:"duration_ms"`
	}
	if err := json.Unmarshal([]byte(out.stdout), &got); err != nil {
		t.Fatal(err)
	}
	if !got.OK || got.Tool != "jq.run" || got.Result.Outputs[0] != "x" || got.Transport != "ring" || got.DurationMS == nil {
		t.Errorf("got %s", out.stdout)
	}
	failed := d.run("call", "rogue.crash", "--json")
	var failure struct {
		OK    bool
		Error struct {
			Kind, Message string
			ExitCode      int `json:"exit_code"`
		}
	}
	if err := json.Unmarshal([]byte(failed.stdout), &failure); err != nil {
		t.Fatal(err)
	}
	if failure.OK || failure.Error.Kind != "guest_crashed" || failure.Error.ExitCode != 1 || failed.code != 1 || failed.stderr != "" {
		t.Errorf("got %+v", failed)
	}
}

func TestVerboseShowsDecisionsAndWhatToolsLog(t *testing.T) {
	d := deploy(t, simple)
	out := d.run("call", "rogue.fetch", `{"url": "https://example.com"}`, "--verbose")
	if out.code != 3 {
		t.Fatalf("%+v", out)
	}
	out.wantWords(t, "ringfence: launch: decision=allow plugin=rogue", "ringfence: call: decision=allow", "ringfence: http: decision=deny", "no http block", "ringfence: result: ")
	if out := d.run("call", "rogue.crash", "-v"); !strings.Contains(out.stderr, "rogue.crash: panic: rogue crashes on purpose") {
		t.Errorf("%+v", out)
	}
}

func TestExitCodesTellWhatHappened(t *testing.T) {
	d := deploy(t, simple)
	for name, tt := range map[string]struct {
		args []string
		code int
		says string
	}{
		"the tool failed":      {[]string{"call", "rogue.escape"}, 1, "the tool failed"},
		"the guest crashed":    {[]string{"call", "rogue.crash"}, 1, "rogue crashes on purpose"},
		"out of memory":        {[]string{"call", "rogue.eat"}, 1, "67108864 bytes"},
		"stack overflow":       {[]string{"call", "rogue.overflow"}, 1, "stack"},
		"usage":                {[]string{"call"}, 2, "--help"},
		"unknown command":      {[]string{"cal"}, 2, "did you mean call?"},
		"misspelt command":     {[]string{"demoo"}, 2, "did you mean demo?"},
		"unknown subcommand":   {[]string{"cache", "drop"}, 2, "ringfence cache --help"},
		"unknown help topic":   {[]string{"help", "cal"}, 2, "did you mean call?"},
		"unknown shell":        {[]string{"completion", "tcsh"}, 2, `no command "tcsh"`},
		"too many arguments":   {[]string{"version", "now"}, 2, "takes no arguments, but got 1 argument;"},
		"unknown flag":         {[]string{"call", "--polcy", "x"}, 2, "--help"},
		"unknown plugin":       {[]string{"call", "jk.run"}, 2, "the policy has jq, rogue"},
		"tools of no plugin":   {[]string{"tools", "jk"}, 2, "the policy has jq, rogue"},
		"unknown tool":         {[]string{"call", "jq.rum"}, 2, "jq offers jq.run"},
		"no JSON":              {[]string{"call", "jq.run", "-"}, 2, "the arguments are empty, not JSON (line 1, column 1 of standard input)"},
		"broken JSON":          {[]string{"call", "jq.run", `{"program": }`}, 2, "column 13"},
		"schema":               {[]string{"call", "jq.run", `{"program": 1, "input": 1}`}, 2, "program: expected a string, got 1 (`ringfence tools jq --json` shows what it takes)"},
		"bad arguments inside": {[]string{"call", "jq.run", `{"program": "[", "input": 1}`}, 2, "jq program"},
		"arguments file":       {[]string{"call", "jq.run", "@nowhere.json"}, 2, "nowhere.json"},
		"policy file":          {[]string{"call", "jq.run", "-p", "nowhere.hcl"}, 2, "nowhere.hcl"},
		"bad variable":         {[]string{"call", "jq.run", "--var", "x"}, 2, "name=value"},
		"denied":               {[]string{"call", "rogue.fetch", `{"url": "https://example.com"}`}, 3, "no http block"},
		"CPU time":             {[]string{"call", "rogue.loop"}, 4, "cpu_time = 1s"},
		"timeout":              {[]string{"call", "rogue.sleep", `{"milliseconds": 100000}`, "--timeout", "2s"}, 4, "timed out (--timeout 2s)"},
		"no time":              {[]string{"call", "rogue.sleep", "{}", "--timeout", "-1s"}, 2, "--timeout -1s"},
		"null arguments":       {[]string{"call", "jq.run", "null"}, 2, `expected an object, got null`},
	} {
		t.Run(name, func(t *testing.T) { d.run(tt.args...).wantLine(t, tt.code, tt.says) })
	}
}

func TestWithoutAPolicyTheUserIsToldWhatToDo(t *testing.T) {
	d := deploy(t, simple)
	if err := os.Remove(filepath.Join(d.dir, "ringfence.hcl")); err != nil {
		t.Fatal(err)
	}
	d.run("call", "jq.run").wantLine(t, 2, "no ringfence.hcl here", "--policy")
}

func TestBinariesCanBeMoved(t *testing.T) {
	d := deploy(t, simple)
	moved := filepath.Join(t.TempDir(), "somewhere else")
	if out, err := exec.Command("cp", "-r", d.bin, moved).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	d.bin = moved
	if out := d.run("call", "jq.run", `{"program": ".", "input": 1}`); out.code != 0 {
		t.Fatalf("%+v", out)
	}
	// Without its parts it says what is missing.
	if err := os.Remove(filepath.Join(moved, "ringfence-plugin-wasm")); err != nil {
		t.Fatal(err)
	}
	d.run("call", "jq.run").wantLine(t, 4, "ringfence-plugin-wasm", "make")
}

func TestAModuleThatIsNotThePinnedOneIsRefused(t *testing.T) {
	d := deploy(t, strings.Replace(simple, `jq.wasm"`, `jq.wasm"`+"\n  sha256 = \""+strings.Repeat("0", 64)+`"`, 1))
	d.run("call", "jq.run").wantLine(t, 2, "pins", strings.Repeat("0", 64), "sha256")
}

func TestInspectAndToolsShowWhatAModuleIs(t *testing.T) {
	d := deploy(t, simple)
	out := d.run("inspect", filepath.Join(d.bin, "tools", "jq.wasm"))
	if out.code != 0 || !strings.Contains(out.stdout, "imports   ringfence: ") || !strings.Contains(out.stdout, "plugin    yes") {
		t.Errorf("inspect: %+v", out)
	}
	out = d.run("tools", "jq")
	if out.code != 0 || !strings.HasPrefix(out.stdout, "jq.run ") {
		t.Errorf("tools: %+v", out)
	}
	var tools []struct {
		Name  string
		Input json.RawMessage `json:"input_schema"`
	}
	if err := json.Unmarshal([]byte(d.run("tools", "--json").stdout), &tools); err != nil || len(tools) < 10 || len(tools[0].Input) < 20 {
		t.Errorf("tools --json: %v, %+v", err, tools)
	}
}

func TestCacheIsWarmedListedAndCleared(t *testing.T) {
	d := deploy(t, simple)
	if out := d.run("cache", "warm"); out.code != 0 || out.stdout != "ready: 2 compiled plugins\n" || out.stderr != "" {
		t.Errorf("warm: %+v", out)
	}
	if out := d.run("cache", "warm", "--json"); out.code != 0 || strings.Join(strings.Fields(out.stdout), "") != `{"ok":true,"plugins":["jq","rogue"]}` {
		t.Errorf("warm --json: %+v", out)
	}
	var list []struct {
		Key                    string
		Bytes                  int64
		Plugin, Engine, Source string
	}
	if err := json.Unmarshal([]byte(d.run("cache", "list", "--json").stdout), &list); err != nil || len(list) < 2 || len(list[0].Key) != 64 || list[0].Bytes < 1<<20 {
		t.Errorf("list --json: %v, %+v", err, list)
	}
	if one := list[0]; one.Plugin == "" || one.Engine != "wasmer" || !strings.HasSuffix(one.Source, ".wasm") {
		t.Errorf("an entry does not say what it is for: %+v", one)
	}
	if out := d.run("cache", "list"); !strings.HasPrefix(out.stdout, "PLUGIN") || !strings.Contains(out.stdout, list[0].Source) {
		t.Errorf("list: %+v", out)
	}
	var cleared struct{ Removed, Bytes int64 }
	if err := json.Unmarshal([]byte(d.run("cache", "clear", "--json").stdout), &cleared); err != nil || int(cleared.Removed) != len(list) || cleared.Bytes < 2<<20 {
		t.Errorf("clear --json: %v, %+v", err, cleared)
	}
	if out := d.run("cache", "list"); out.code != 0 || !strings.HasPrefix(out.stdout, "no module is compiled") {
		t.Errorf("list after clear: %+v", out)
	}
}

func TestHelpAndCompletionCoverEveryCommand(t *testing.T) {
	d := deploy(t, simple)
	help := d.run("--help").stdout
	for _, command := range []string{"call", "tools", "mcp", "validate", "inspect", "cache", "demo", "version", "completion"} {
		if !strings.Contains(help, "\n  "+command) {
			t.Errorf("--help does not list %s", command)
		}
		if out := d.run(command, "--help"); out.code != 0 || !strings.Contains(out.stdout, "Usage:") {
			t.Errorf("%s --help: %+v", command, out)
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if out := d.run("completion", shell); out.code != 0 || len(out.stdout) < 1000 {
			t.Errorf("completion %s: %d bytes, exit code %d", shell, len(out.stdout), out.code)
		}
	}
	if out := d.run("__complete", "call", ""); !strings.Contains(out.stdout, "jq.") {
		t.Errorf("completion of a tool's name: %+v", out)
	}
	if out := d.run("__complete", "mcp", "--mark", ""); !strings.HasPrefix(out.stdout, "text\nmeta\n:4") {
		t.Errorf("completion of a mark: %+v", out)
	}
}

func TestDemo(t *testing.T) {
	d := deploy(t, simple)
	d.env = []string{"XDG_STATE_HOME=" + filepath.Dir(d.state)}
	out := d.run("demo")
	if out.code != 0 {
		t.Fatalf("%+v", out)
	}
	wantTranscript(t, out.stdout)
	for _, want := range []string{
		"Authorization: Bearer ghp_demo", "nothing arrived", "denied by policy", "CPU time used up",
		"out of memory", "rogue crashes on purpose", "Every decision is on record",
	} {
		if !strings.Contains(out.stdout, want) {
			t.Errorf("the demo does not show %q:\n%s", want, out.stdout)
		}
	}
}

func TestDemoAsJSON(t *testing.T) {
	d := deploy(t, simple)
	d.env = []string{"XDG_STATE_HOME=" + filepath.Dir(d.state)}
	out := d.run("demo", "--json")
	var got struct {
		OK     bool
		Scenes []struct {
			Tool, Stopped string
			Result        json.RawMessage
			Requests      []string
			DurationMS    float64 `json:"duration_ms"`
		}
	}
	if err := json.Unmarshal([]byte(out.stdout), &got); err != nil || !got.OK || out.code != 0 || len(got.Scenes) < 8 {
		t.Fatalf("%v, %+v", err, out)
	}
	for i, s := range got.Scenes {
		if s.Tool == "" || (s.Stopped == "") == (s.Result == nil) || s.DurationMS <= 0 || len(s.Requests) != map[int]int{0: 1}[i] {
			t.Errorf("scene %d: %+v", i, s)
		}
	}
}
