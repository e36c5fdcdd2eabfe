package serve

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/ringfence/ringfence/internal/seccomp"
	"github.com/ringfence/ringfence/pluginkit"
	"github.com/ringfence/ringfence/pluginkit/wire"
	"github.com/ringfence/ringfence/plugins/wasm/internal/engine"
	"github.com/ringfence/ringfence/plugins/wasm/internal/wasmtest"
)

// startTraps is a module whose start function traps: it shows whether a
// guest has run.
const startTraps = `(module (memory (export "memory") 1 1) (func $s unreachable) (start $s))`

// When stage two fails, nothing of the guest has run, its start function neither.
func TestGuestNeverRunsUnconfined(t *testing.T) {
	artifact, f := compile(t, wasmtest.WAT(t, startTraps))
	if f != nil {
		t.Fatal(f)
	}
	request := &wire.LoadRequest{Engine: "wasmer", ArtifactBytes: uint64(len(artifact)),
		GuestMemoryBytes: 1 << 16, Lifetime: wire.Lifetime_LIFETIME_CALL}
	box := newSandbox(t, artifact)
	response, err := box.Load(t.Context(), request)
	if err != nil || response.Failure.GetKind() != wire.FailureKind_FAILURE_TRAP {
		t.Fatalf("the start function did not run: %v %v", response, err)
	}
	if !slices.Equal(box.stages, []seccomp.Stage{seccomp.Two}) {
		t.Errorf("stages %v", box.stages)
	}
	box = newSandbox(t, artifact)
	box.confined = errors.New("no filter")
	if response, err := box.Load(t.Context(), request); err == nil || !strings.Contains(err.Error(), "no filter") {
		t.Errorf("without a filter: %v %v", response, err)
	}
}

// A process that compiles stays in stage one, which lets it make code.
func TestCompilerStaysInStageOne(t *testing.T) {
	box := newSandbox(t, wasmtest.WAT(t, startTraps))
	stream, err := box.Compile(t.Context(), &wire.CompileRequest{
		Engine: "wasmer", ModuleBytes: uint64(len(wasmtest.WAT(t, startTraps))), MaxArtifactBytes: 1 << 20, MaxMemoryBytes: 1 << 30})
	for err == nil {
		_, err = stream.Recv()
	}
	if len(box.stages) != 0 {
		t.Errorf("stages %v", box.stages)
	}
}

const envUnconfined = "SERVE_TEST_UNCONFINED"

// When stage one fails, no handshake line comes, so no host connects.
func TestNoHandshakeWithoutAFilter(t *testing.T) {
	if os.Getenv(envUnconfined) != "" {
		Serve(New(Config{
			Engines: map[string]func() engine.Engine{},
			Confine: func(seccomp.Stage) error { return errors.New("no filter") },
			Log:     hclog.New(&hclog.LoggerOptions{Output: os.Stderr}),
		}))
		os.Exit(0)
	}
	child := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	child.Env = append(os.Environ(), envUnconfined+"=1", "TMPDIR="+t.TempDir(),
		pluginkit.Handshake.MagicCookieKey+"="+pluginkit.Handshake.MagicCookieValue)
	var said strings.Builder
	child.Stderr = &said
	line, err := child.Output()
	if err != nil || len(line) != 0 || !strings.Contains(said.String(), "no filter") {
		t.Errorf("handshake %q, %v, log %q", line, err, said.String())
	}
}

// Nobody of its uid can attach to the process. What such a process has under
// /proc belongs to root, and else to its own uid and gid.
func TestProcessIsOpaque(t *testing.T) {
	p := startProcess(t, []byte{0})
	info, err := os.Stat(fmt.Sprintf("/proc/%d/mem", p.command.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	if owner := info.Sys().(*syscall.Stat_t); owner.Uid != 0 || owner.Gid != 0 {
		t.Errorf("it is dumpable: /proc/PID/mem belongs to %d and %d", owner.Uid, owner.Gid)
	}
}
