package mcp_test

//lint:file-ignore SA1019 sampling and logging are deprecated in drafts without sessions; see sessionVersions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/host/mcp"
	"github.com/ringfence/ringfence/pluginkit/guest/guesttest"
)

func errorsAs[T error](err error, target *T) bool { return errors.As(err, target) }

const twoPlugins = `
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
  tool "sleep" {
    read_only  = true
    open_world = false
  }
  tool "eat" {
    destructive = true
  }
}
`

func list(t testing.TB, s *sdk.ClientSession) map[string]*sdk.Tool {
	t.Helper()
	all := map[string]*sdk.Tool{}
	for tool, err := range s.Tools(t.Context(), nil) {
		if err != nil {
			t.Fatal(err)
		}
		all[tool.Name] = tool
	}
	return all
}

func TestClientsSeeAllTools(t *testing.T) {
	d := deploy(t, twoPlugins, mcp.Options{}, host.Options{})
	for name, s := range map[string]*sdk.ClientSession{"stdio": d.connect(nil), "http": d.dial(d.listen(), nil)} {
		t.Run(name, func(t *testing.T) {
			tools := list(t, s)
			run, sleep, eat := tools["run"], tools["sleep"], tools["eat"]
			if run == nil || sleep == nil || eat == nil {
				t.Fatalf("the tools are %v", tools)
			}
			schema, _ := json.Marshal(run.InputSchema)
			if !strings.Contains(string(schema), `"program"`) || run.OutputSchema == nil {
				t.Errorf("run has the schemas %s and %v", schema, run.OutputSchema)
			}
			if a := run.Annotations; !a.ReadOnlyHint || !a.IdempotentHint || a.OpenWorldHint == nil || *a.OpenWorldHint {
				t.Errorf("run has the annotations %+v", a)
			}
			if a := sleep.Annotations; !a.ReadOnlyHint || a.OpenWorldHint == nil || *a.OpenWorldHint {
				t.Errorf("the policy says something else of sleep: %+v", a)
			}
			if a := eat.Annotations; a.ReadOnlyHint || a.DestructiveHint == nil || !*a.DestructiveHint {
				t.Errorf("the policy says something else of eat: %+v", a)
			}
			if !strings.Contains(run.Description, "jq.run, an untrusted plugin") || run.Meta["ringfence/untrusted"] != true {
				t.Errorf("run does not say whose it is: %q, %v", run.Description, run.Meta)
			}
			if i := s.InitializeResult().Instructions; !strings.Contains(i, "untrusted") {
				t.Errorf("the instructions are %q", i)
			}
		})
	}
}

func TestResultsAreStructuredAndMarked(t *testing.T) {
	d := deploy(t, twoPlugins, mcp.Options{}, host.Options{})
	s := d.connect(nil)
	r := call(t, s, "run", `{"program": ".a", "input": {"a": {"b": 1}}}`)
	structured, _ := json.Marshal(r.StructuredContent)
	if r.IsError || string(structured) != `{"outputs":[{"b":1}]}` || text(r) != `{"outputs":[{"b":1}]}` {
		t.Fatalf("the result is %s, %q", structured, text(r))
	}
	last, ok := r.Content[len(r.Content)-1].(*sdk.TextContent)
	if !ok || !strings.Contains(last.Text, "untrusted tool jq.run") || len(r.Content) != 2 {
		t.Errorf("nothing of ours stands behind the result: %v", r.Content)
	}
	for key, want := range map[string]any{"ringfence/untrusted": true, "ringfence/plugin": "jq", "ringfence/tool": "jq.run"} {
		if r.Meta[key] != want {
			t.Errorf("_meta has %s = %v, want %v", key, r.Meta[key], want)
		}
	}
}

func TestMarkMetaAddsNoText(t *testing.T) {
	d := deploy(t, twoPlugins, mcp.Options{Mark: mcp.MarkMeta, Prefix: true}, host.Options{})
	r := call(t, d.connect(nil), "jq_run", `{"program": ".", "input": "x"}`)
	if len(r.Content) != 1 || r.Meta["ringfence/untrusted"] != true {
		t.Fatalf("the result is %v with %v", r.Content, r.Meta)
	}
}

// What goes wrong in a tool is for the assistant; what goes wrong in the protocol
// is for the client.
func TestWhatGoesWrongIsAToolError(t *testing.T) {
	d := deploy(t, twoPlugins, mcp.Options{}, host.Options{})
	s := d.connect(nil)
	for name, tt := range map[string]struct{ tool, arguments, says, kind string }{
		"fails":                 {"escape", `{}`, `\x1b[2J`, "the tool failed"},
		"crashes":               {"crash", `{}`, "rogue crashes on purpose", "the guest crashed"},
		"loops":                 {"loop", `{}`, "cpu_time = 1s", "CPU time used up"},
		"eats":                  {"eat", `{}`, "out of memory", "the guest ran out of memory"},
		"is denied":             {"fetch", `{"url": "https://evil.example/"}`, "no http block", "denied by policy"},
		"gets bad arguments":    {"sleep", `{"milliseconds": "x"}`, "milliseconds", "bad arguments"},
		"gets no object":        {"sleep", `[1]`, "", "bad arguments"},
		"answers with too much": {"shout", `{"bytes": 9000000}`, "maximum 4194304", "bad result"},
	} {
		t.Run(name, func(t *testing.T) {
			r := call(t, s, tt.tool, tt.arguments)
			if !r.IsError || !strings.Contains(text(r), tt.says) || r.Meta["ringfence/error"] != tt.kind {
				t.Fatalf("got %v: %q (%v), want %s: %q", r.IsError, text(r), r.Meta, tt.kind, tt.says)
			}
			if strings.ContainsAny(text(r), "\x1b\x00") {
				t.Errorf("the error has control characters: %q", text(r))
			}
		})
	}
	_, err := s.CallTool(t.Context(), &sdk.CallToolParams{Name: "nope"})
	if wireCode(err) != -32602 {
		t.Errorf("an unknown tool gives %v, want the protocol error -32602", err)
	}
	if r := call(t, s, "run", `{"program": "1", "input": null}`); r.IsError {
		t.Errorf("the session does not go on: %q", text(r))
	}
}

const slow = `
ringfence {
  state_dir = "STATE"
}
plugin "jq" {
  source = "TOOLS/jq.wasm"
}
plugin "rogue" {
  source = "TOOLS/rogue.wasm"
}
plugin "missing" {
  source = "TOOLS/there-is-no-such-module.wasm"
}
`

func TestASlowPluginBlocksNoOther(t *testing.T) {
	d := deploy(t, slow, mcp.Options{}, host.Options{})
	url := d.listen()
	one, two := d.dial(url, nil), d.dial(url, nil)
	list(t, one)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	refused := make(chan *sdk.CallToolResult, mcp.MaxPluginCalls+1)
	var calls sync.WaitGroup
	for range mcp.MaxPluginCalls + 1 { // of which one is too many
		calls.Go(func() {
			r, err := one.CallTool(ctx, &sdk.CallToolParams{Name: "sleep", Arguments: map[string]any{"milliseconds": 50000}})
			if err == nil {
				refused <- r
			}
		})
	}
	if r := <-refused; !r.IsError || !strings.Contains(text(r), "busy") {
		t.Errorf("a call too many gives %q", text(r))
	}
	for _, s := range []*sdk.ClientSession{one, two} {
		if r := call(t, s, "run", `{"program": "1", "input": null}`); r.IsError {
			t.Errorf("another plugin's tool fails: %q", text(r))
		}
		if _, ok := list(t, s)["run"]; !ok {
			t.Error("there is no list")
		}
	}
	cancel() // and the calls end in the sandbox, too
	calls.Wait()
	eventually(t, "the calls are cancelled", func() bool { return !d.busy("rogue") })
	if r := call(t, two, "count", `{}`); r.IsError {
		t.Errorf("the plugin does not serve any more: %q", text(r))
	}
}

// An assistant that asks too early is told so, and need not take a tool for lost.
func TestAToolThatMayComeLater(t *testing.T) {
	s := deploy(t, slow, mcp.Options{}, host.Options{}).connect(nil)
	_, err := s.CallTool(t.Context(), &sdk.CallToolParams{Name: "later"})
	if wireCode(err) != -32602 || !strings.Contains(err.Error(), "these plugins have not started: missing.") {
		t.Errorf("a tool that is not there yet gives %v", err)
	}
}

// A plugin that hangs in its start is as good as none.
func TestAPluginThatHangsInItsStart(t *testing.T) {
	path, _ := guesttest.Build(t, "testdata/hang")
	d := deploy(t, `
ringfence {
  state_dir = "STATE"
}
plugin "a-hang" {
  source = "`+path+`"
}
plugin "jq" {
  source = "TOOLS/jq.wasm"
}
`, mcp.Options{}, host.Options{StartTimeout: 5 * time.Minute})
	changed := make(chan struct{}, 16)
	s := d.connect(&sdk.ClientOptions{ToolListChangedHandler: func(context.Context, *sdk.ToolListChangedRequest) {
		changed <- struct{}{}
	}})
	if err := s.Ping(t.Context(), nil); err != nil {
		t.Error(err)
	}
	<-changed // jq is there, and the other one still hangs
	if r := call(t, s, "run", `{"program": "1", "input": null}`); r.IsError {
		t.Errorf("another plugin's tool fails: %q", text(r))
	}
}

func TestResultsThatGrowOnTheirWay(t *testing.T) {
	s := deploy(t, twoPlugins, mcp.Options{}, host.Options{}).connect(nil)
	for name, program := range map[string]string{
		"escapes": `"<" * 3000000`,                    // six bytes each, and twice in a message
		"depth":   `reduce range(200) as $i (0; [.])`, // what some parsers do not take
	} {
		arguments, _ := json.Marshal(map[string]any{"program": program, "input": nil})
		r := call(t, s, "run", string(arguments))
		if !r.IsError || r.Meta["ringfence/error"] != "bad result" {
			t.Errorf("%s: the result has %d bytes (%v)", name, len(text(r)), r.Meta)
		}
	}
	if r := call(t, s, "run", `{"program": "1", "input": null}`); r.IsError {
		t.Errorf("the session does not go on: %q", text(r))
	}
}

func TestNamesThatCollideArePrefixed(t *testing.T) {
	d := deploy(t, `
ringfence {
  state_dir = "STATE"
}
plugin "jq" {
  source = "TOOLS/jq.wasm"
}
plugin "jq-2" {
  source = "TOOLS/jq.wasm"
}
plugin "rogue" {
  source = "TOOLS/rogue.wasm"
}
`, mcp.Options{}, host.Options{})
	s := d.connect(nil)
	tools := list(t, s)
	for _, want := range []string{"jq_run", "jq-2_run", "sleep"} {
		if tools[want] == nil {
			t.Errorf("there is no %s", want)
		}
	}
	if tools["run"] != nil {
		t.Error("one of two plugins has the name alone")
	}
	for _, name := range []string{"jq_run", "jq-2_run"} {
		r := call(t, s, name, `{"program": "1", "input": null}`)
		if plugin, _, _ := strings.Cut(name, "_"); r.Meta["ringfence/plugin"] != plugin {
			t.Errorf("%s is of the plugin %v", name, r.Meta["ringfence/plugin"])
		}
	}
}

func TestToolsThatComeLateAreAnnounced(t *testing.T) {
	changed := make(chan struct{}, 16)
	d := deploy(t, twoPlugins, mcp.Options{}, host.Options{})
	s := d.connect(&sdk.ClientOptions{ToolListChangedHandler: func(context.Context, *sdk.ToolListChangedRequest) {
		changed <- struct{}{}
	}})
	<-changed // the sandboxes take longer to start than the client to connect
	eventually(t, "all tools are there", func() bool { return len(list(t, s)) == 18 })
}

func TestLogsGoToWhoeverCalled(t *testing.T) {
	var mu sync.Mutex
	heard := map[string][]string{}
	listener := func(name string) *sdk.ClientOptions {
		return &sdk.ClientOptions{LoggingMessageHandler: func(_ context.Context, r *sdk.LoggingMessageRequest) {
			mu.Lock()
			defer mu.Unlock()
			heard[name] = append(heard[name], fmt.Sprintf("%s %s %v", r.Params.Level, r.Params.Logger, r.Params.Data))
		}}
	}
	d := deploy(t, twoPlugins, mcp.Options{}, host.Options{})
	url := d.listen()
	a, b := d.dial(url, listener("a")), d.dial(url, listener("b"))
	for _, s := range []*sdk.ClientSession{a, b} {
		if err := s.SetLoggingLevel(t.Context(), &sdk.SetLoggingLevelParams{Level: "debug"}); err != nil {
			t.Fatal(err)
		}
	}
	call(t, a, "flood", `{}`)
	mu.Lock()
	defer mu.Unlock()
	if len(heard["a"]) == 0 || !strings.Contains(heard["a"][0], "rogue.flood") {
		t.Errorf("the caller heard %q", heard["a"][:min(3, len(heard["a"]))])
	}
	if len(heard["b"]) > 0 {
		t.Errorf("another client heard %q", heard["b"][0])
	}
}

func TestNamesAreValidForEveryClient(t *testing.T) {
	d := deploy(t, twoPlugins, mcp.Options{Prefix: true}, host.Options{})
	var all []string
	for name := range list(t, d.connect(nil)) {
		all = append(all, name)
		if len(name) > 64 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") != "" {
			t.Errorf("%q", name)
		}
	}
	slices.Sort(all)
	if len(all) != 18 || all[0] != "jq_run" {
		t.Errorf("the names are %q", all)
	}
}
