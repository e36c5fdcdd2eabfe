package wazero

import (
	"bytes"
	"os"
	"os/exec"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/plugins/wasm/internal/engine"
	"github.com/ringfence/ringfence/plugins/wasm/internal/engine/artifact"
	"github.com/ringfence/ringfence/plugins/wasm/internal/engine/enginetest"
	"github.com/ringfence/ringfence/plugins/wasm/internal/wasmtest"
	"go.uber.org/goleak"
)

func start() engine.Engine { return New() }

const envStore = "WAZERO_TEST_STORE"

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestEngine(t *testing.T) { enginetest.Run(t, start) }

func BenchmarkInstance(b *testing.B) { enginetest.Benchmark(b, start) }

// A store into a window that cannot be written ends the process, and changes
// nothing.
func TestStoreIntoLockedWindow(t *testing.T) {
	if os.Getenv(envStore) != "" {
		store := enginetest.Locked(t, start)
		os.Stderr.WriteString("storing\n")
		_ = store()
		os.Stderr.WriteString("stored\n")
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run", "^TestStoreIntoLockedWindow$")
	cmd.Env = append(os.Environ(), envStore+"=1")
	out, err := cmd.CombinedOutput()
	if err == nil || !bytes.Contains(out, []byte("storing\n")) || bytes.Contains(out, []byte("stored\n")) || !bytes.Contains(out, []byte("fault")) {
		t.Errorf("%v\n%.500s", err, out)
	}
}

// Code comes from the store and is not made again: without that, each start of a
// sandbox would compile for seconds.
func TestLoadCompilesNothing(t *testing.T) {
	module := wasmtest.WAT(t, `(module (memory (export "memory") 1 1) (func (export "f") (result i32) i32.const 7))`)
	code, err := New().Compile(module)
	if err != nil {
		t.Fatal(err)
	}
	parts, err := artifact.Parse(code, identity())
	if err != nil {
		t.Fatal(err)
	}
	// A constant of the code is changed, and the change is what runs.
	at := bytes.Index(parts[1], []byte{7, 0, 0, 0})
	if at < 0 || bytes.Count(parts[1], []byte{7, 0, 0, 0}) != 1 {
		t.Skip("the constant does not stand in the code as it is on amd64")
	}
	// wazero has a checksum over its code, so only the load can fail.
	parts[1][at] = 8
	if m, err := New().Load(code); err == nil {
		m.Close()
		t.Error("code that was changed was loaded: it is not what was compiled that runs")
	} else if !strings.Contains(err.Error(), "checksum") {
		t.Errorf("%v", err)
	}
}

// The version is in the identity of compiled code, and there by hand.
func TestVersion(t *testing.T) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		t.Skip("this test binary knows no dependencies")
	}
	for _, d := range info.Deps {
		if d.Path == "github.com/tetratelabs/wazero" && d.Version != version {
			t.Errorf("wazero is %s, the constant says %s", d.Version, version)
		}
	}
}
