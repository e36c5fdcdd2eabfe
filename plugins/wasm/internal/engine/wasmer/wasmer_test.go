package wasmer

import (
	"bytes"
	"context"
	"errors"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/plugins/wasm/internal/engine"
	"github.com/ringfence/ringfence/plugins/wasm/internal/engine/enginetest"
	_ "github.com/ringfence/ringfence/plugins/wasm/internal/threads"
	"github.com/ringfence/ringfence/plugins/wasm/internal/wasmtest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestEngine(t *testing.T) {
	enginetest.Run(t, func() engine.Engine { return New() })
}

func compileWAT(t testing.TB, text string) []byte {
	t.Helper()
	e := New()
	defer e.Close()
	artifact, err := e.Compile(wasmtest.WAT(t, text))
	if err != nil {
		t.Fatal(err)
	}
	return artifact
}

// The artifact is run as it is, so what is not ours must not get that far.
func TestArtifactHeader(t *testing.T) {
	good := compileWAT(t, `(module (memory (export "memory") 1 2))`)
	if _, err := parseArtifact(good); err != nil {
		t.Fatal(err)
	}
	changed := func(at int) []byte {
		b := bytes.Clone(good)
		b[at] ^= 1
		return b
	}
	for name, b := range map[string][]byte{
		"empty": nil, "short": good[:headerLength-1], "truncated": good[:len(good)-1], "longer": append(bytes.Clone(good), 0),
		"magic": changed(0), "length": changed(lengthsAt + 1), "identity": changed(identityAt + 3), "huge length": changed(lengthsAt + 7),
	} {
		if _, err := New().Load(b); err == nil {
			t.Errorf("%s: loaded", name)
		}
	}
}

// Ending a guest from a host function is where the binding frees a trap twice.
func TestExitsUnderGarbageCollection(t *testing.T) {
	e := New()
	defer e.Close()
	m, err := e.Load(compileWAT(t, `(module
		(import "host" "exit" (func $exit (param i32)))
		(memory (export "memory") 1 1)
		(func (export "run") (param i32) local.get 0 call $exit))`))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	got := uint64(0)
	i, err := m.Instantiate([]engine.HostFunction{{
		Module: "host", Name: "exit", Params: []engine.ValueType{engine.I32}, Exits: true,
		Call: func(_ context.Context, _ engine.Memory, stack []uint64) { got = stack[0] },
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	for n := range uint64(20_000) {
		_, err := i.Call(t.Context(), "run", n)
		var trap *engine.Trap
		if !errors.As(err, &trap) || trap.Kind != engine.TrapExited || got != n {
			t.Fatalf("exit %d: %v, got %d", n, err, got)
		}
		if n%500 == 0 {
			runtime.GC()
		}
	}
	runtime.GC()
}

// A panic of a host function ends the call, not the process.
func TestHostPanic(t *testing.T) {
	e := New()
	defer e.Close()
	m, err := e.Load(compileWAT(t, `(module (import "host" "f" (func $f (result i64))) (memory (export "memory") 1 1) (func (export "run") (result i64) call $f))`))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	i, err := m.Instantiate([]engine.HostFunction{{
		Module: "host", Name: "f", Results: []engine.ValueType{engine.I64},
		Call: func(context.Context, engine.Memory, []uint64) { panic("oh") },
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	if _, err := i.Call(t.Context(), "run"); err == nil || !strings.Contains(err.Error(), "panic: oh") {
		t.Errorf("%v", err)
	}
}

func FuzzCheckBorder(f *testing.F) {
	f.Add(assembleGate([]function{{module: "a", name: "b", params: []engine.ValueType{engine.I32, engine.I64}, results: []engine.ValueType{engine.I64}}}))
	f.Add([]byte("\x00asm\x01\x00\x00\x00\x02\xff\xff\xff\xff\x0f"))
	f.Add([]byte("\x00asm\x01\x00\x00\x00\x01\x06\xff\xff\xff\xff\xff\x0f"))
	f.Fuzz(func(t *testing.T, b []byte) {
		border, err := checkBorder(b)
		if err == nil && len(border.functions) > len(b) {
			t.Errorf("%d functions in %d bytes", len(border.functions), len(b))
		}
	})
}

func FuzzParseArtifact(f *testing.F) {
	f.Add(artifact{guest: []byte("guest"), gate: []byte("gate"), imported: []function{{module: "a", name: "b"}}}.marshal())
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := parseArtifact(b)
		if err == nil && len(a.guest)+len(a.gate) > len(b) {
			t.Error("parts larger than the whole")
		}
	})
}

func TestValuesCross(t *testing.T) {
	for _, v := range []uint64{0, 1, math.MaxUint64, 1 << 63} {
		if got := fromGo(toGo(v, 1)); got[0] != v {
			t.Errorf("i64 %#x became %#x", v, got[0])
		}
	}
}

func BenchmarkInstance(b *testing.B) {
	e := New()
	defer e.Close()
	m, err := e.Load(compileWAT(b, `(module (import "host" "f" (func $f (param i32) (result i32))) (memory (export "memory") 1 1)
		(func (export "empty"))
		(func (export "calls") (param i32) (loop $l local.get 0 call $f drop local.get 0 i32.const 1 i32.sub local.tee 0 br_if $l)))`))
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	host := []engine.HostFunction{{
		Module: "host", Name: "f", Params: []engine.ValueType{engine.I32}, Results: []engine.ValueType{engine.I32},
		Call: func(context.Context, engine.Memory, []uint64) {},
	}}
	i, err := m.Instantiate(host)
	if err != nil {
		b.Fatal(err)
	}
	defer i.Close()
	b.Run("call", func(b *testing.B) {
		for b.Loop() {
			i.Call(b.Context(), "empty")
		}
	})
	b.Run("host call", func(b *testing.B) {
		i.Call(b.Context(), "calls", uint64(b.N))
	})
	b.Run("instantiate", func(b *testing.B) {
		for b.Loop() {
			other, err := m.Instantiate(host)
			if err != nil {
				b.Fatal(err)
			}
			other.Close()
		}
	})
}
