package host_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/internal/built"
	"github.com/ringfence/ringfence/policies"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open makes a host for the text of a policy, in which STATE and TOOLS stand for
// folders.
func open(t testing.TB, text string, opts host.Options) *host.Host {
	t.Helper()
	text = strings.NewReplacer("STATE", built.State(t), "TOOLS", filepath.Join(built.Bin(t), "tools")).Replace(text)
	policy, err := policies.Parse(filepath.Join(t.TempDir(), "test.hcl"), []byte(text), policies.Options{})
	if err != nil {
		t.Fatal(err)
	}
	opts.Sandbox = sandboxProgram(t)
	h, err := host.Open(policy, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		left, err := filepath.Glob(filepath.Join(policy.Settings().StateDir, "run", "*"))
		if err != nil || len(left) > 0 {
			t.Errorf("the host left %v behind (%v)", left, err)
		}
	})
	return h
}

func sandboxProgram(t testing.TB) string { return filepath.Join(built.Bin(t), "ringfence-plugin-wasm") }

const rogue = `
ringfence {
  state_dir = "STATE"
}
plugin "rogue" {
  source = "TOOLS/rogue.wasm"
  limits {
    memory   = "64MiB"
    cpu_time = "1s"
  }
}
plugin "hasty" {
  source = "TOOLS/rogue.wasm"
  limits {
    memory       = "64MiB"
    call_timeout = "1s"
  }
}
`

func TestWhateverAToolDoesTheNextCallWorks(t *testing.T) {
	h := open(t, rogue, host.Options{})
	for name, tt := range map[string]struct {
		tool, arguments string
		want            error
		says            string
	}{
		"loops":                 {"loop", `{}`, host.ErrCPUTime, "cpu_time = 1s"},
		"eats memory":           {"eat", `{}`, host.ErrMemory, "out of memory"},
		"crashes":               {"crash", `{}`, host.ErrCrashed, "panic: rogue crashes on purpose"},
		"overflows its stack":   {"overflow", `{}`, host.ErrCrashed, "stack"},
		"exits":                 {"exit", `{}`, host.ErrCrashed, "status 7"},
		"logs for ever":         {"flood", `{}`, host.ErrCPUTime, ""},
		"sleeps too long":       {"hasty.sleep", `{"milliseconds": 60000}`, host.ErrTimeout, "call_timeout = 1s"},
		"answers too much":      {"shout", `{"bytes": 60000000}`, nil, "memory"},
		"fails with an escape":  {"escape", `{}`, host.ErrToolFailed, `\x1b[2J`},
		"fetches without right": {"fetch", `{"url": "http://127.0.0.1:1/"}`, host.ErrDenied, "no http block"},
		"gets bad arguments":    {"sleep", `{"milliseconds": -1}`, host.ErrBadArguments, "milliseconds"},
		"gets unknown property": {"sleep", `{"milliseconds": 1, "x": 1}`, host.ErrBadArguments, "x"},
		"gets no object":        {"sleep", `[]`, host.ErrBadArguments, ""},
		"gets no JSON":          {"sleep", `{`, host.ErrBadArguments, "JSON"},
		"does not exist":        {"nope", `{}`, host.ErrUnknownTool, "rogue.loop"},
	} {
		t.Run(name, func(t *testing.T) {
			tool := tt.tool
			if !strings.Contains(tool, ".") {
				tool = "rogue." + tool
			}
			_, err := h.Call(t.Context(), tool, []byte(tt.arguments))
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.says) {
				t.Fatalf("got %v, want %v saying %q", err, tt.want, tt.says)
			}
			if text := err.Error(); strings.ContainsAny(text, "\n\r\x1b") || len(text) > 6000 {
				t.Fatalf("the error is not one bounded printable line: %q", text)
			}
			if _, err := h.Call(t.Context(), "rogue.shout", []byte(`{"bytes": 10}`)); err != nil {
				t.Fatalf("the next call failed: %v", err)
			}
		})
	}
}

func TestAGuestSeesNothingOfTheMachine(t *testing.T) {
	t.Setenv("RINGFENCE_TEST_SECRET", "canary-5d41402abc4b2a76")
	h := open(t, rogue, host.Options{})
	r, err := h.Call(t.Context(), "rogue.look", nil)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(r.JSON), `"environment":[]`) || strings.Contains(string(r.JSON), "canary") {
		t.Fatalf("the guest sees %s", r.JSON)
	}
}

func TestCancellingACallReturnsAtOnceAndFreesTheSandbox(t *testing.T) {
	h := open(t, rogue, host.Options{})
	for _, tool := range []string{"loop", "sleep"} {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() {
			_, err := h.Call(ctx, "rogue."+tool, []byte(map[string]string{"loop": `{}`, "sleep": `{"milliseconds": 100000}`}[tool]))
			done <- err
		}()
		waitForCall(t, h)
		cancel()
		if err := <-done; !errors.Is(err, host.ErrCanceled) {
			t.Fatalf("%s: got %v, want ErrCanceled", tool, err)
		}
		if _, err := h.Call(t.Context(), "rogue.shout", []byte(`{"bytes": 1}`)); err != nil {
			t.Fatalf("%s: the next call failed: %v", tool, err)
		}
	}
}

// What a tool logs when its call has returned, because it does not know yet or does
// not care, nobody hears: it would come to a program that has moved on.
func TestNothingIsHeardOfACallThatHasReturned(t *testing.T) {
	for way, opts := range map[string]host.Options{"ring": {}, "grpc": {NoRing: true}} {
		t.Run(way, func(t *testing.T) {
			h := open(t, rogue, opts)
			var returned atomic.Bool
			var before, late atomic.Int64
			for range 5 {
				ctx, cancel := context.WithCancel(t.Context())
				returned.Store(false)
				_, err := h.Do(ctx, host.Request{Tool: "rogue.flood", Arguments: []byte(`{}`), Caller: host.Caller{Log: func(host.GuestRecord) {
					if before.Add(1); returned.Load() {
						late.Add(1)
					}
					cancel()
				}}})
				returned.Store(true)
				if !errors.Is(err, host.ErrCanceled) {
					t.Fatal(err)
				}
				// The next call waits until the flood is over.
				if _, err := h.Call(t.Context(), "rogue.shout", []byte(`{"bytes": 1}`)); err != nil {
					t.Fatal(err)
				}
			}
			if late.Load() > 5 { // one in each call may have been on its way
				t.Errorf("%d of %d lines came when their call had returned", late.Load(), before.Load())
			}
		})
	}
}

// waitForCall waits until a sandbox of the host burns or sleeps in a call.
func waitForCall(t *testing.T, h *host.Host) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		for _, s := range h.Status() {
			if s.Busy {
				return
			}
		}
	}
	t.Error("no call began")
}

func TestADeadSandboxFailsTheCallAndIsReplaced(t *testing.T) {
	h := open(t, rogue, host.Options{})
	done := make(chan error, 1)
	go func() {
		_, err := h.Call(t.Context(), "rogue.sleep", []byte(`{"milliseconds": 100000}`))
		done <- err
	}()
	waitForCall(t, h)
	for _, s := range h.Status() {
		p, err := os.FindProcess(s.PID)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Kill(); err != nil {
			t.Fatal(err)
		}
	}
	err := <-done
	if !errors.Is(err, host.ErrSandbox) || !strings.Contains(err.Error(), "signal 9") {
		t.Fatalf("got %v, want ErrSandbox naming the signal", err)
	}
	if _, err := h.Call(t.Context(), "rogue.shout", []byte(`{"bytes": 1}`)); err != nil {
		t.Fatalf("the next call failed: %v", err)
	}
}

func TestAnInstanceLivesForOneCallOrForASession(t *testing.T) {
	for lifetime, sameInstance := range map[string]bool{"call": false, "session": true} {
		t.Run(lifetime, func(t *testing.T) {
			h := open(t, strings.Replace(rogue, `plugin "rogue" {`, "plugin \"rogue\" {\n  lifetime = \""+lifetime+"\"", 1), host.Options{})
			var last string
			for range 3 {
				r, err := h.Call(t.Context(), "rogue.count", nil)
				if err != nil {
					t.Fatal(err)
				}
				last = string(r.JSON)
			}
			if want := map[bool]string{false: `{"calls":1}`, true: `{"calls":3}`}[sameInstance]; last != want {
				t.Fatalf("after three calls the guest counts %s, want %s", last, want)
			}
		})
	}
}

func TestCallsOfSeveralCallersDoNotMix(t *testing.T) {
	h := open(t, strings.Replace(rogue, "limits {", "limits {\n    processes = 2", 1), host.Options{})
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			r, err := h.Call(t.Context(), "rogue.shout", fmt.Appendf(nil, `{"bytes": %d}`, i))
			if err != nil || len(r.JSON) != len(`{"text":""}`)+i {
				t.Errorf("call %d: %v, %v", i, r, err)
			}
		})
	}
	wg.Wait()
}

func TestCredentialsReachTheServerButNeverTheGuest(t *testing.T) {
	const secret = "ghp_canarycanarycanarycanarycanarycanary"
	t.Setenv("TEST_TOKEN", secret)
	var mu sync.Mutex
	var seen []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, r.Header.Get("Authorization"))
		if r.URL.Path == "/echo" {
			fmt.Fprint(w, "you sent ", r.Header.Get("Authorization"))
			return
		}
		fmt.Fprint(w, "fine")
	}))
	defer server.Close()
	h := open(t, strings.ReplaceAll(`
ringfence {
  state_dir = "STATE"
}
variable "token" {
  default   = env("TEST_TOKEN")
  sensitive = true
}
secret "api" {
  value = var.token
}
plugin "rogue" {
  source = "TOOLS/rogue.wasm"
  http {
    allow "SERVER" {
      paths = ["/ok", "/echo"]
      credential "api" {
        bearer = true
      }
    }
  }
}
`, "SERVER", server.URL), host.Options{})
	r, err := h.Call(t.Context(), "rogue.fetch", fmt.Appendf(nil, `{"url": %q}`, server.URL+"/ok"))
	if err != nil || !strings.Contains(string(r.JSON), "fine") {
		t.Fatalf("got %v, %v", r, err)
	}
	if len(seen) != 1 || seen[0] != "Bearer "+secret {
		t.Fatalf("the server saw %q", seen)
	}
	_, err = h.Call(t.Context(), "rogue.fetch", fmt.Appendf(nil, `{"url": %q}`, server.URL+"/echo"))
	if !errors.Is(err, host.ErrDenied) || strings.Contains(err.Error(), secret) {
		t.Fatalf("a response that echoes the credential gave %v", err)
	}
	_, err = h.Call(t.Context(), "rogue.fetch", fmt.Appendf(nil, `{"url": %q}`, server.URL+"/other"))
	if !errors.Is(err, host.ErrDenied) || len(seen) != 2 {
		t.Fatalf("a path outside the policy gave %v; the server saw %d requests", err, len(seen))
	}
}

func TestAWornSandboxIsReplacedBetweenCalls(t *testing.T) {
	h := open(t, rogue, host.Options{})
	pids := make(map[int]bool)
	// The engine keeps about 100 KiB of each instance; a process serves some
	// hundred calls before it asks to be replaced.
	for n := 0; len(pids) < 2; n++ {
		if n == 5000 {
			t.Fatalf("%d calls, and the sandbox was never replaced", n)
		}
		if _, err := h.Call(t.Context(), "rogue.shout", []byte(`{"bytes": 1}`)); err != nil {
			t.Fatalf("call %d: %v", n, err)
		}
		for _, s := range h.Status() {
			pids[s.PID] = true
		}
	}
}

func TestNothingIsLeftAfterManyCalls(t *testing.T) {
	h := open(t, rogue, host.Options{})
	call := func() {
		if _, err := h.Call(t.Context(), "rogue.shout", []byte(`{"bytes": 1000}`)); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Call(t.Context(), "rogue.crash", nil); !errors.Is(err, host.ErrCrashed) {
			t.Fatal(err)
		}
	}
	call()
	before := descriptors(t)
	for range 20 {
		call()
	}
	if after := descriptors(t); after > before+2 {
		t.Fatalf("%d descriptors before 40 calls, %d after", before, after)
	}
	if all := h.Status(); len(all) != 1 {
		t.Fatalf("calls one after another left the processes %v", all)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func TestACompilationThatTakesTooLongIsStopped(t *testing.T) {
	// No other test compiles for this limit, so the cache has nothing.
	h := open(t, strings.ReplaceAll(rogue, "64MiB", "68MiB"), host.Options{CompileTimeout: 300 * time.Millisecond})
	_, err := h.Call(t.Context(), "rogue.look", nil)
	if !errors.Is(err, host.ErrModule) || !strings.Contains(err.Error(), "took more than 300ms") {
		t.Fatalf("got %v", err)
	}
}

func TestProgressTellsOfCompilations(t *testing.T) {
	var mu sync.Mutex
	var steps []host.Progress
	h := open(t, strings.ReplaceAll(rogue, "64MiB", "72MiB"), host.Options{CompileTimeout: time.Millisecond, Progress: func(p host.Progress) {
		mu.Lock()
		defer mu.Unlock()
		steps = append(steps, p)
	}})
	if err := h.Prepare(t.Context(), "rogue"); !errors.Is(err, host.ErrModule) {
		t.Fatalf("got %v", err)
	}
	if n := len(steps); n < 2 || steps[0].Phase == "" || steps[0].Bytes == 0 || !steps[n-1].Done || steps[n-1].Err == nil {
		t.Fatalf("got %+v", steps)
	}
}

func TestAClosedHostRefusesCalls(t *testing.T) {
	h := open(t, rogue, host.Options{})
	done := make(chan error, 1)
	go func() {
		_, err := h.Call(t.Context(), "rogue.sleep", []byte(`{"milliseconds": 100000}`))
		done <- err
	}()
	waitForCall(t, h)
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; !errors.Is(err, host.ErrClosed) {
		t.Fatalf("the call under way got %v, want ErrClosed", err)
	}
	if _, err := h.Call(t.Context(), "rogue.look", nil); !errors.Is(err, host.ErrClosed) {
		t.Fatalf("got %v, want ErrClosed", err)
	}
}
