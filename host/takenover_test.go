package host_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/internal/built"
	"github.com/ringfence/ringfence/policies"
)

var hostileProgram = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "hostile")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "p"), "./testdata/hostile")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, errors.New(string(out))
	}
	return os.ReadFile(filepath.Join(dir, "p"))
})

// openHostile makes a host whose sandboxes are all taken over, and whose calls
// have little time.
func openHostile(t *testing.T, way string) *host.Host {
	t.Helper()
	h, _ := openTaken(t, way, `call_timeout = "400ms"`)
	return h
}

// openTaken makes one with other limits, and names its audit log.
func openTaken(t *testing.T, way string, limits ...string) (*host.Host, string) {
	t.Helper()
	program, err := hostileProgram()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "sandbox")
	if err := os.WriteFile(path, append(program[:len(program):len(program)], "way="+way...), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(filepath.Join(built.Bin(t), "ringfence-jail"), filepath.Join(dir, "ringfence-jail")); err != nil {
		trampoline, err := os.ReadFile(filepath.Join(built.Bin(t), "ringfence-jail")) // on another file system
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, "ringfence-jail"), trampoline, 0o700)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	text := strings.NewReplacer("STATE", filepath.Join(dir, "state"), "MODULE", built.Tool(t, "rogue"), "LIMITS", strings.Join(limits, "\n    ")).Replace(`
ringfence {
  state_dir     = "STATE"
  max_sandboxes = 2
}
plugin "bad" {
  source = "MODULE"
  http {
    allow "http://127.0.0.1:1" {
      methods = ["GET"]
      paths   = ["/only"]
    }
  }
  limits {
    LIMITS
  }
}
plugin "other" {
  source = "MODULE"
}
`)
	policy, err := policies.Parse(filepath.Join(dir, "test.hcl"), []byte(text), policies.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h, err := host.Open(policy, host.Options{Sandbox: path, CompileTimeout: compileTime, StartTimeout: startTime})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		if info, err := os.Stat(filepath.Join(dir, "state", "audit.jsonl")); err != nil || info.Size() > 32<<20 {
			t.Errorf("the audit log: %v, %v", info.Size(), err)
		}
	})
	return h, filepath.Join(dir, "state", "audit.jsonl")
}

// What a hostile sandbox may take to compile and to start, and what a test of
// one may take then. A jailed launch takes 20 ms, or seconds where many do at
// once; those that never become ready cost the test as long.
const (
	compileTime = 5 * time.Second
	startTime   = 5 * time.Second
)

// checkError wants one bounded line that a terminal can be trusted with.
func checkError(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if text := err.Error(); len(text) > 6000 || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u202e' }) || !utf8.ValidString(text) {
		t.Errorf("the error is not one bounded printable line: %d bytes, %.300q", len(text), text)
	}
}

func TestASandboxThatWasTakenOverDoesNotStart(t *testing.T) {
	for _, way := range []string{"offer of many", "offer of many engines", "error text", "no offer", "other terms",
		"endless progress", "endless nothing", "a failure with escapes", "a failure to load", "no manifest",
		"no first filter", "no second filter"} {
		t.Run(way, func(t *testing.T) {
			h := openHostile(t, way)
			began := time.Now()
			_, err := h.Call(t.Context(), "bad.good", nil)
			if err == nil {
				t.Fatal("it started")
			}
			if took := time.Since(began); took > 6*time.Second {
				t.Errorf("it took %s", took)
			}
			if strings.HasSuffix(way, " filter") && !strings.Contains(err.Error(), "not confined") {
				t.Errorf("refused for another reason: %v", err)
			}
			checkError(t, err)
			t.Logf("%.200s", err)
		})
	}
}

func TestASandboxThatWasTakenOverHurtsNobodyElse(t *testing.T) {
	h := openHostile(t, "")
	if _, err := h.Call(t.Context(), "other.good", nil); err != nil {
		t.Fatal(err)
	}
	large := append(append([]byte(`{"a":"`), strings.Repeat("x", 32<<20)...), `"}`...)
	for _, tool := range []string{"early", "log_storm", "log_huge", "log_nothing", "request_nothing", "read_nothing", "secret_storm", "header_storm",
		"deaf", "drip", "bytewise", "after_the_end", "stays_open", "error_text", "failure_text", "failed_text", "not_json", "not_utf8", "twice", "deep"} {
		t.Run(tool, func(t *testing.T) {
			stop, sampled := make(chan struct{}), make(chan uint64)
			go sample(stop, sampled)
			done := make(chan error, 1)
			began := time.Now()
			go func() {
				r, err := h.Call(t.Context(), "bad."+tool, large)
				if err == nil && !utf8.Valid(r.JSON) {
					err = errors.New("a result that is not UTF-8 was accepted")
					t.Error(err)
				}
				done <- err
			}()
			var slowest time.Duration
			var err error
			for waiting := true; waiting; {
				select {
				case err = <-done:
					waiting = false
				default:
					one := time.Now()
					if _, err := h.Call(t.Context(), "other.good", nil); err != nil {
						t.Errorf("another plugin's call failed: %v", err)
					}
					slowest = max(slowest, time.Since(one))
					time.Sleep(10 * time.Millisecond)
				}
			}
			took := time.Since(began)
			close(stop)
			peak := <-sampled
			checkError(t, err)
			if took > 4*time.Second {
				t.Errorf("the call took %s", took)
			}
			if slowest > 3*time.Second {
				t.Errorf("another plugin's call took %s", slowest)
			}
			if peak > 400<<20 {
				t.Errorf("the host's heap grew to %d MiB", peak>>20)
			}
			t.Logf("%s, others %s, heap %d MiB: %.160v", took.Round(time.Millisecond), slowest.Round(time.Millisecond), peak>>20, err)
			if _, err := h.Call(t.Context(), "bad.good", nil); err != nil {
				t.Errorf("the next call failed: %v", err)
			}
		})
	}
}

func TestACallBeginsAgainInPlaceOfAWornSandbox(t *testing.T) {
	// The first sandbox says at its second call that it is worn. The one in its
	// place finds a mark in its root, and serves.
	h, audit := openTaken(t, "worn once", `call_timeout = "60s"`)
	if _, err := h.Call(t.Context(), "bad.good", nil); err != nil {
		t.Fatal(err)
	}
	roots, _ := filepath.Glob(filepath.Join(filepath.Dir(audit), "run", "*", "program"))
	if len(roots) != 1 {
		t.Fatalf("roots to leave a mark in: %v", roots)
	}
	if err := errors.Join(os.Chmod(roots[0], 0o755), os.WriteFile(filepath.Join(roots[0], "mark"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Call(t.Context(), "bad.good", nil); err != nil {
		t.Error(err)
	}
	if s := statsOf(t, h, "bad"); s.Launches != 2 || s.Restarts != 1 || s.Failed() != 0 {
		t.Errorf("counted %+v", s)
	}
	if _, err := h.Call(t.Context(), "bad.worn_later", nil); !errors.Is(err, host.ErrSandbox) {
		t.Errorf("got %v, want ErrSandbox", err)
	}
	h, _ = openTaken(t, "worn for ever", `call_timeout = "60s"`)
	if _, err := h.Call(t.Context(), "bad.good", nil); !errors.Is(err, host.ErrSandbox) {
		t.Errorf("got %v, want ErrSandbox", err)
	} else {
		checkError(t, err)
	}
}

// A plugin that could change its tools would pass a check as one and run as
// another.
func TestAPluginThatDescribesOtherToolsLaterIsRefused(t *testing.T) {
	h := openHostile(t, "other tools each time")
	if _, err := h.Call(t.Context(), "bad.good", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Call(t.Context(), "bad.worn_later", nil); !errors.Is(err, host.ErrSandbox) {
		t.Fatalf("got %v, want ErrSandbox", err)
	}
	_, err := h.Call(t.Context(), "bad.good", nil) // in a new sandbox
	if !errors.Is(err, host.ErrResult) || !strings.Contains(err.Error(), "describes other tools than before") {
		t.Errorf("got %v", err)
	}
}

// What the policy says of a request quotes the request.
func TestADenialCannotSteerTheTerminal(t *testing.T) {
	h := openHostile(t, "")
	for _, tool := range []string{"denied_method", "denied_url", "denied_host", "denied_scheme", "denied_path", "denied_header"} {
		_, err := h.Call(t.Context(), "bad."+tool, nil)
		if !errors.Is(err, host.ErrDenied) {
			t.Errorf("%s: got %v, want ErrDenied", tool, err)
		}
		checkError(t, err)
		t.Logf("%s: %.200v", tool, err)
	}
}

// sample tells the largest heap until stop is closed.
func sample(stop <-chan struct{}, largest chan<- uint64) {
	var m runtime.MemStats
	peak := uint64(0)
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		select {
		case <-stop:
			tick.Stop()
			largest <- peak
			return
		case <-tick.C:
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapInuse)
		}
	}
}
