package serve

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ringfence/ringfence/pluginkit"
	"github.com/ringfence/ringfence/pluginkit/wire"
	"github.com/ringfence/ringfence/plugins/wasm/internal/wasmtest"
	"github.com/ringfence/ringfence/plugins/wasm/testdata/hostile"
)

// Each module ends as it must, and the same under either engine.
func TestHostileModules(t *testing.T) {
	for name := range engines {
		t.Run(name, func(t *testing.T) {
			for _, m := range hostile.Modules() {
				if m.LoadLoops || m.CallLoops {
					continue // needs a process that can be killed
				}
				t.Run(m.Name, func(t *testing.T) { hostileModule(t, name, m) })
			}
		})
	}
}

func hostileModule(t *testing.T, engine string, m hostile.Module) {
	artifact, f := compileWith(t, engine, wasmtest.WAT(t, m.WAT))
	if ends(t, "compile", f, m.Compile, m.Message) {
		return
	}
	for _, lifetime := range []wire.Lifetime{wire.Lifetime_LIFETIME_CALL, wire.Lifetime_LIFETIME_SESSION} {
		box, response := loadWith(t, engine, artifact, hostile.MemoryLimit, lifetime)
		if ends(t, "load", response.Failure, m.Load, m.Message) {
			continue
		}
		again := 3 // in the next instance
		if m.Slow {
			again = 1
		}
		for range again {
			_, f, err := box.call(t.Context(), 0, []byte(`{"a":1.5}`), noReply)
			if err != nil {
				t.Fatalf("call: %v", err)
			}
			ends(t, "call", f, m.Call, m.Message)
		}
	}
}

func noReply(r *wire.CapabilityRequest) *wire.CapabilityReply {
	return &wire.CapabilityReply{Id: r.Id, Code: wire.Code_CODE_DENIED, Message: "no"}
}

// ends checks a failure and reports whether there was one.
func ends(t *testing.T, where string, f *wire.Failure, want wire.FailureKind, message string) bool {
	t.Helper()
	if f == nil {
		if want != 0 {
			t.Fatalf("%s: no failure, want %v", where, want)
		}
		return false
	}
	if f.Kind != want || !strings.Contains(f.Message, message) {
		t.Fatalf("%s: %v %q, want %v %q", where, f.Kind, f.Message, want, message)
	}
	if len(f.Message) > pluginkit.MaxFailure || !utf8.ValidString(f.Message) || strings.ContainsAny(f.Message, "\n\x1b\x00") {
		t.Errorf("%s: the message %q is not one bounded line of text", where, f.Message)
	}
	return true
}
