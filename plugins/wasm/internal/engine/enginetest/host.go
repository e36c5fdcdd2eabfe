package enginetest

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/plugins/wasm/internal/engine"
)

// exits ends a guest from a host function, again and again, under garbage
// collection: that is where a binding frees a trap twice.
func exits(t *testing.T, start func() engine.Engine) {
	m := load(t, start, `(module
		(import "host" "exit" (func $exit (param i32)))
		(memory (export "memory") 1 1)
		(func (export "run") (param i32) local.get 0 call $exit))`)
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

// panics has a host function panic, which ends the call and not the process.
func panics(t *testing.T, start func() engine.Engine) {
	m := load(t, start, `(module (import "host" "f" (func $f (result i64))) (memory (export "memory") 1 1) (func (export "run") (result i64) call $f))`)
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

// Benchmark measures a call, a call of the host, and an instance, of a guest that
// does nothing else.
func Benchmark(b *testing.B, start func() engine.Engine) {
	m := load(b, start, `(module (import "host" "f" (func $f (param i32) (result i32))) (memory (export "memory") 1 1)
		(func (export "empty"))
		(func (export "calls") (param i32) (loop $l local.get 0 call $f drop local.get 0 i32.const 1 i32.sub local.tee 0 br_if $l)))`)
	host := []engine.HostFunction{{
		Module: "host", Name: "f", Params: []engine.ValueType{engine.I32}, Results: []engine.ValueType{engine.I32},
		Call: func(context.Context, engine.Memory, []uint64) {},
	}}
	i, err := m.Instantiate(host)
	if err != nil {
		b.Fatal(err)
	}
	defer i.Close()
	run := func(b *testing.B, export string, params ...uint64) {
		if _, err := i.Call(b.Context(), export, params...); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("call", func(b *testing.B) {
		for b.Loop() {
			run(b, "empty")
		}
	})
	b.Run("host call", func(b *testing.B) { run(b, "calls", uint64(b.N)) })
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
