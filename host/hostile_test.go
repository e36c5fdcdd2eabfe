package host_test

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/pluginkit/wire"
	"github.com/ringfence/ringfence/plugins/wasm/testdata/hostile"
)

// kinds is what the host makes of a sandbox's failures.
var kinds = map[wire.FailureKind]error{
	wire.FailureKind_FAILURE_TRAP:   host.ErrCrashed,
	wire.FailureKind_FAILURE_EXIT:   host.ErrCrashed,
	wire.FailureKind_FAILURE_STACK:  host.ErrCrashed,
	wire.FailureKind_FAILURE_MEMORY: host.ErrMemory,
	wire.FailureKind_FAILURE_ABI:    host.ErrResult,
	wire.FailureKind_FAILURE_MODULE: host.ErrModule,
}

// TestHostileModules runs every hostile module of the collection through the
// whole host: each ends as a typed error of one line, and an honest plugin of the
// same host still answers after it.
func TestHostileModules(t *testing.T) {
	dir := t.TempDir()
	assemble(t, dir)
	policy := strings.Builder{}
	policy.WriteString("ringfence {\n  state_dir = \"STATE\"\n  max_sandboxes = 3\n}\n")
	for _, m := range hostile.Modules() {
		fmt.Fprintf(&policy, "plugin %q {\n  source = %q\n  limits {\n    memory = \"%dKiB\"\n    cpu_time = \"2s\"\n  }\n}\n",
			"x-"+m.Name, filepath.Join(dir, m.Name+".wasm"), hostile.MemoryLimit>>10)
	}
	h := open(t, policy.String(), host.Options{StartTimeout: 8 * time.Second})
	for _, m := range hostile.Modules() {
		t.Run(m.Name, func(t *testing.T) {
			_, err := h.Call(t.Context(), "x-"+m.Name, []byte(`{"an argument": "that does not fit into the last bytes of a page"}`))
			verifyEnd(t, m, err)
			if r, err := h.Call(t.Context(), "x-echo", []byte(`{"still": "here"}`)); err != nil || string(r.JSON) != `{"still": "here"}` {
				t.Fatalf("after it an honest plugin answers %v, %v", r, err)
			}
		})
	}
}

// assemble writes the hostile modules to a folder.
func assemble(t *testing.T, dir string) {
	t.Helper()
	if out, err := exec.Command("go", "run", "../plugins/wasm/testdata/hostile/assemble", dir).CombinedOutput(); err != nil {
		t.Fatalf("assemble: %v\n%s", err, out)
	}
}

func verifyEnd(t *testing.T, m hostile.Module, err error) {
	t.Helper()
	var want []error
	switch {
	case m.LoadLoops:
		want = []error{host.ErrTimeout, host.ErrSandbox}
	case m.CallLoops, m.Slow:
		want = []error{host.ErrCPUTime, nil}
	case m.Compile != 0 || m.Load == wire.FailureKind_FAILURE_ABI:
		want = []error{host.ErrModule, host.ErrResult} // the host's own checks come first
	case m.Load != 0:
		want = []error{kinds[m.Load], host.ErrModule}
	case m.Call != 0:
		want = []error{kinds[m.Call]}
	default:
		want = []error{nil, host.ErrResult, host.ErrModule}
	}
	for _, w := range want {
		if w == nil && err == nil || w != nil && errors.Is(err, w) {
			if err != nil && (strings.ContainsAny(err.Error(), "\n\x1b") || len(err.Error()) > 6000) {
				t.Errorf("not one bounded line: %.300q", err)
			}
			return
		}
	}
	t.Errorf("got %v, want one of %v", err, want)
}
