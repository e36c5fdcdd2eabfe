package host_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/internal/built"
	"github.com/ringfence/ringfence/policies"
)

const invoking = `
ringfence {
  state_dir     = "STATE"
  max_sandboxes = MAX
}
plugin "outer" {
  source = "TOOLS/rogue.wasm"
  limits {
    memory       = "64MiB"
    processes    = 2
    call_timeout = "30s"
  }
  invoke "next" {
    tool = "middle.invoke"
  }
  invoke "shout" {
    tool = "inner.shout"
  }
  invoke "sleep" {
    tool = "inner.sleep"
  }
  invoke "crash" {
    tool = "inner.crash"
  }
  invoke "fetch" {
    tool = "inner.fetch"
  }
  invoke "keep" {
    tool = "inner.keep"
  }
  invoke "gone" {
    tool = "inner.gone"
  }
  invoke "hasty" {
    tool = "hasty.sleep"
  }
}
plugin "middle" {
  source = "TOOLS/rogue.wasm"
  limits {
    memory = "64MiB"
  }
  invoke "shout" {
    tool = "inner.shout"
  }
}
plugin "inner" {
  source = "TOOLS/rogue.wasm"
  limits {
    memory = "64MiB"
  }
  state {
    size = "64KiB"
    name = "inner"
  }
}
plugin "hasty" {
  source = "TOOLS/rogue.wasm"
  limits {
    memory       = "64MiB"
    call_timeout = "100ms"
  }
}
`

func openInvoking(t *testing.T, sandboxes int, opts host.Options) *host.Host {
	t.Helper()
	return open(t, strings.Replace(invoking, "MAX", fmt.Sprint(sandboxes), 1), opts)
}

func invoke(alias, arguments string) []byte {
	name, _ := json.Marshal(alias)
	return fmt.Appendf(nil, `{"alias": %s, "arguments": %s}`, name, arguments)
}

func TestToolsCallToolsOfOtherPlugins(t *testing.T) {
	both(t, func(t *testing.T, opts host.Options) {
		h := openInvoking(t, 8, opts)
		r, err := h.Call(t.Context(), "outer.invoke", invoke("next", string(invoke("shout", `{"bytes": 3}`))))
		if err != nil || string(r.JSON) != `{"result":{"result":{"text":"AAA"}}}` {
			t.Fatalf("%s, %v", r.JSON, err)
		}
		// Large results go through in pieces.
		if r, err = h.Call(t.Context(), "outer.invoke", invoke("shout", `{"bytes": 3000000}`)); err != nil || len(r.JSON) < 3_000_000 {
			t.Errorf("%v", err)
		}
		for call, want := range map[string]struct {
			arguments []byte
			kind      error
			says      string
		}{
			"no alias":          {invoke("other", `{}`), host.ErrDenied, `no tool under the alias "other"`},
			"bad arguments":     {invoke("shout", `{"bytes": -1}`), host.ErrToolFailed, "bad arguments"},
			"a crash":           {invoke("crash", `{}`), host.ErrToolFailed, "invoke crash: could not be reached: the guest crashed"},
			"a denial":          {invoke("fetch", `{"url": "http://127.0.0.1:1/"}`), host.ErrToolFailed, "fetch: denied by policy"},
			"no such tool":      {invoke("gone", `{}`), host.ErrToolFailed, "unknown tool"},
			"its own time":      {invoke("hasty", `{"milliseconds": 60000}`), host.ErrToolFailed, "took too long"},
			"a terminal escape": {invoke("\x1b[2J", `{}`), host.ErrDenied, `\x1b[2J`},
		} {
			_, err := h.Call(t.Context(), "outer.invoke", want.arguments)
			if !errors.Is(err, want.kind) || !strings.Contains(err.Error(), want.says) {
				t.Errorf("%s: %v, want %v saying %q", call, err, want.kind, want.says)
			}
			// Nothing of the other plugin's policy and tools, and nothing that its crash
			// prints.
			for _, fact := range []string{"http block", "127.0.0.1", "test.hcl", "on purpose", "inner", "call_timeout", "100ms"} {
				if err != nil && strings.Contains(err.Error(), fact) {
					t.Errorf("%s: the caller learns of %q: %v", call, fact, err)
				}
			}
		}
	})
}

// The deadline of a call is that of the calls in it, and so is its cancellation;
// the sandboxes are free afterwards.
func TestInvokedCallsEndWithTheOuterOne(t *testing.T) {
	h := openInvoking(t, 8, host.Options{})
	if _, err := h.Call(t.Context(), "inner.shout", []byte(`{"bytes": 1}`)); err != nil { // compiled
		t.Fatal(err)
	}
	for name, end := range map[string]func() (context.Context, context.CancelFunc){
		"its time": func() (context.Context, context.CancelFunc) {
			return context.WithTimeout(t.Context(), 300*time.Millisecond)
		},
		"its caller": func() (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(t.Context())
			go func() { // as soon as the inner one runs
				for {
					for _, s := range h.Status() {
						if s.Plugin == "inner" && s.Busy {
							cancel()
							return
						}
					}
					if ctx.Err() != nil {
						return
					}
				}
			}()
			return ctx, cancel
		},
	} {
		ctx, cancel := end()
		_, err := h.Call(ctx, "outer.invoke", invoke("sleep", `{"milliseconds": 600000}`))
		if !errors.Is(err, host.ErrTimeout) && !errors.Is(err, host.ErrCanceled) {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
		if _, err := h.Call(t.Context(), "outer.invoke", invoke("shout", `{"bytes": 1}`)); err != nil {
			t.Errorf("after %s: %v", name, err)
		}
	}
}

// Two callers hold all the sandboxes there may be, and each wants one more.
func TestInvokingNeverWaitsForItself(t *testing.T) {
	for sandboxes := 1; sandboxes <= 3; sandboxes++ {
		h := openInvoking(t, sandboxes, host.Options{})
		ctx, cancel := context.WithTimeout(t.Context(), 25*time.Second) // of call_timeout = 30s
		defer cancel()
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				_, err := h.Call(ctx, "outer.invoke", invoke("next", string(invoke("shout", `{"bytes": 3}`))))
				if err != nil && !strings.Contains(err.Error(), "waits for another one") {
					t.Errorf("with %d sandboxes: %v", sandboxes, err)
				}
				if sandboxes == 1 && err == nil {
					t.Error("three sandboxes were one")
				}
			})
		}
		all.Wait()
		if _, err := h.Call(t.Context(), "inner.shout", []byte(`{"bytes": 1}`)); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	}
}

// The calls of called tools count for the call that all of it came of.
func TestCallsThatComeOfOneCallAreBounded(t *testing.T) {
	h := openInvoking(t, 8, host.Options{})
	defer host.SetMaxInvoked(2)()
	nested := invoke("next", string(invoke("shout", `{"bytes": 3}`)))
	if _, err := h.Call(t.Context(), "outer.invoke", nested); err != nil {
		t.Fatal(err)
	}
	host.SetMaxInvoked(1)
	if _, err := h.Call(t.Context(), "outer.invoke", nested); !errors.Is(err, host.ErrToolFailed) || !strings.Contains(err.Error(), "next: denied by policy") {
		t.Errorf("the second of one: %v", err)
	}
	host.SetMaxInvoked(0)
	if _, err := h.Call(t.Context(), "outer.invoke", nested); !errors.Is(err, host.ErrDenied) || !strings.Contains(err.Error(), "more than 0 calls came of one call") {
		t.Errorf("the first of none: %v", err)
	}
}

func TestACircleOfInvocationsIsRefused(t *testing.T) {
	_, err := policies.Parse("test.hcl", []byte(`
plugin "a" {
  source = "a.wasm"
  invoke "b" {
    tool = "b.x"
  }
}
plugin "b" {
  source = "b.wasm"
  invoke "a" {
    tool = "a.x"
  }
}`), policies.Options{})
	if err == nil || !strings.Contains(err.Error(), "circle") {
		t.Errorf("%v", err)
	}
}

// The audit log shows who called whom.
func TestTheRecordShowsTheChain(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state")
	h := open(t, strings.NewReplacer("MAX", "8", "STATE", state).Replace(invoking), host.Options{})
	if _, err := h.Call(t.Context(), "outer.invoke", invoke("next", string(invoke("shout", `{"bytes": 3}`)))); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(state, "audit.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var chain []string
	for line := range strings.Lines(string(b)) {
		var e struct {
			Plugin, Call, Kind string
			Details            struct{ Tool, Parent string }
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if e.Kind == "call" || e.Kind == "invoke" || e.Kind == "result" {
			chain = append(chain, fmt.Sprintf("%s %s %s<%s", e.Kind, e.Plugin, e.Call, e.Details.Parent))
		}
	}
	want := "call outer c1<, invoke outer c1<, call middle c2<c1, invoke middle c2<, call inner c3<c2, result inner c3<c2, result middle c2<c1, result outer c1<"
	if got := strings.Join(chain, ", "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestStateOutlivesTheHost(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state")
	policy := strings.NewReplacer("MAX", "8", "STATE", state).Replace(invoking)
	keep := func(h *host.Host, tool, format string, args ...any) (string, error) {
		r, err := h.Call(t.Context(), tool, fmt.Appendf(nil, format, args...))
		if err != nil {
			return "", err
		}
		return string(r.JSON), nil
	}
	for i, opts := range []host.Options{{}, {NoRing: true}} {
		h := open(t, policy, opts)
		for n := range 3 {
			want := fmt.Sprintf(`{"value":"%d"}`, 3*i+n+1)
			if got, err := keep(h, "inner.keep", `{"do": "count", "key": "n"}`); got != want || err != nil {
				t.Errorf("%s, %v; want %s", got, err, want)
			}
		}
		if _, err := keep(h, "outer.keep", `{"do": "get", "key": "n"}`); !errors.Is(err, host.ErrDenied) || !strings.Contains(err.Error(), "state { }") {
			t.Errorf("without a grant: %v", err)
		}
		if _, err := keep(h, "inner.keep", `{"do": "get", "key": "../../audit.jsonl"}`); !errors.Is(err, host.ErrToolFailed) {
			t.Errorf("a key is a path: %v", err)
		}
		if _, err := keep(h, "inner.keep", `{"do": "set", "key": "a\u202eb", "value": "x"}`); !errors.Is(err, host.ErrDenied) {
			t.Errorf("a key that reads as another: %v", err)
		}
		if err := h.Close(); err != nil {
			t.Fatal(err)
		}
	}
	h := open(t, policy, host.Options{})
	if got, err := keep(h, "inner.hoard", `{}`); err != nil || !strings.Contains(got, `"files":6`) || !strings.Contains(got, "maximum 65536") {
		t.Errorf("%s, %v", got, err)
	}
	if got, err := keep(h, "inner.keep", `{"do": "keys", "key": "k"}`); got != `{"keys":["k0","k1","k2","k3","k4","k5"]}` || err != nil {
		t.Errorf("%s, %v", got, err)
	}
}

// Policies that share a state folder do not share what plugins of one name keep, and
// one that was moved says where that is.
func TestStateBelongsToItsPolicyFile(t *testing.T) {
	dir, state := t.TempDir(), built.State(t)
	var log bytes.Buffer
	do := func(file, arguments string) (string, error) {
		t.Helper()
		text := strings.NewReplacer("STATE", state, "TOOLS", filepath.Join(built.Bin(t), "tools")).Replace(`
ringfence {
  state_dir = "STATE"
}
plugin "inner" {
  source = "TOOLS/rogue.wasm"
  limits {
    memory = "64MiB"
  }
  state { }
}`)
		file = filepath.Join(dir, file)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		policy, err := policies.Load(file, policies.Options{})
		if err != nil {
			t.Fatal(err)
		}
		log.Reset()
		h, err := host.Open(policy, host.Options{Sandbox: sandboxProgram(t), Logger: hclog.New(&hclog.LoggerOptions{Output: &log, Level: hclog.Warn})})
		if err != nil {
			t.Fatal(err)
		}
		defer h.Close()
		r, err := h.Call(t.Context(), "inner.keep", []byte(arguments))
		if err != nil {
			return "", err
		}
		return string(r.JSON), nil
	}
	const count = `{"do": "count", "key": "n"}`
	for _, want := range []struct{ file, value string }{{"a.hcl", "1"}, {"a.hcl", "2"}, {"b.hcl", "1"}, {"a.hcl", "3"}} {
		if got, err := do(want.file, count); got != fmt.Sprintf(`{"value":%q}`, want.value) || err != nil {
			t.Errorf("%s: %s, %v; want %s", want.file, got, err, want.value)
		}
		if log.Len() > 0 {
			t.Errorf("%s: the log says %s", want.file, &log)
		}
	}
	if err := os.Remove(filepath.Join(dir, "a.hcl")); err != nil {
		t.Fatal(err)
	}
	if _, err := do("moved.hcl", `{"do": "keys", "key": ""}`); err != nil {
		t.Fatal(err)
	}
	told := regexp.MustCompile(`was=(\S+) file=(\S+) rename_to=(\S+)`).FindStringSubmatch(log.String())
	if told == nil || told[1] != filepath.Join(dir, "a.hcl") {
		t.Fatalf("the log says %s", &log)
	}
	if err := os.Rename(told[2], told[3]); err != nil {
		t.Fatal(err)
	}
	if got, err := do("moved.hcl", count); got != `{"value":"4"}` || err != nil {
		t.Errorf("after the renaming: %s, %v", got, err)
	}
}
