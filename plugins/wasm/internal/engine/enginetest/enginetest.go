// Package enginetest is what every engine has to do alike. An engine's own
// tests call Run; two engines that pass it agree.
package enginetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/ringfence/ringfence/plugins/wasm/internal/engine"
	"github.com/ringfence/ringfence/plugins/wasm/internal/wasmtest"
)

const guest = `(module
  (import "host" "add" (func $add (param i32 i64) (result i64)))
  (import "host" "poke" (func $poke (param i32)))
  (memory (export "memory") 1 3)
  (data (i32.const 8) "data")
  (global $n (mut i32) (i32.const 0))
  (func (export "add") (param i32 i64) (result i64) local.get 0 local.get 1 call $add)
  (func (export "poke") (param i32) (result i32) local.get 0 call $poke local.get 0 i32.load8_u)
  (func (export "pair") (param f32 f64) (result f64 f32) local.get 1 local.get 0)
  (func (export "count") (result i32) global.get $n i32.const 1 i32.add global.set $n global.get $n)
  (func (export "grow") (param i32) (result i32) local.get 0 memory.grow)
  (func $r (export "recurse") (param i32) (result i32) local.get 0 call $r i32.const 1 i32.add)
  (func (export "unreachable") unreachable)
  (func (export "load") (param i32) (result i32) local.get 0 i32.load)
  (table (export "table") 1 2 funcref))`

// Run tests an engine.
func Run(t *testing.T, start func() engine.Engine) {
	t.Run("calls", func(t *testing.T) { calls(t, start) })
	t.Run("memory", func(t *testing.T) { memory(t, start) })
	t.Run("traps", func(t *testing.T) { traps(t, start) })
	t.Run("instances", func(t *testing.T) { instances(t, start) })
	t.Run("linking", func(t *testing.T) { linking(t, start) })
	t.Run("signatures", func(t *testing.T) { signatures(t, start) })
	t.Run("exits", func(t *testing.T) { exits(t, start) })
	t.Run("panics", func(t *testing.T) { panics(t, start) })
	t.Run("windows", func(t *testing.T) { windows(t, start) })
}

func host() []engine.HostFunction {
	return []engine.HostFunction{
		{
			Module: "host", Name: "add", Params: []engine.ValueType{engine.I32, engine.I64}, Results: []engine.ValueType{engine.I64},
			Call: func(_ context.Context, _ engine.Memory, stack []uint64) { stack[0] += stack[1] },
		},
		{
			Module: "host", Name: "poke", Params: []engine.ValueType{engine.I32},
			Call: func(_ context.Context, memory engine.Memory, stack []uint64) { memory.Write(stack[0], []byte{42}) },
		},
	}
}

func load(t testing.TB, start func() engine.Engine, text string) engine.Module {
	t.Helper()
	compiler := start()
	artifact, err := compiler.Compile(wasmtest.WAT(t, text))
	if err != nil {
		t.Fatalf("compile: %v", err)
	}
	compiler.Close()
	e := start() // another one, as in another process
	m, err := e.Load(artifact)
	if err != nil {
		t.Fatalf("load: %v", err)
	}
	t.Cleanup(func() { m.Close(); e.Close() })
	return m
}

func instantiate(t testing.TB, m engine.Module) engine.Instance {
	t.Helper()
	i, err := m.Instantiate(host())
	if err != nil {
		t.Fatalf("instantiate: %v", err)
	}
	t.Cleanup(i.Close)
	return i
}

func call(t *testing.T, i engine.Instance, export string, params ...uint64) []uint64 {
	t.Helper()
	results, err := i.Call(t.Context(), export, params...)
	if err != nil {
		t.Fatalf("%s: %v", export, err)
	}
	return results
}

func calls(t *testing.T, start func() engine.Engine) {
	i := instantiate(t, load(t, start, guest))
	for _, c := range []struct {
		export       string
		params, want []uint64
	}{
		{"add", []uint64{0xffffffff, 1}, []uint64{0x100000000}}, // i32 comes zero-extended
		{"add", []uint64{1, 1<<64 - 2}, []uint64{1<<64 - 1}},
		{"poke", []uint64{100}, []uint64{42}},
		{"pair", []uint64{0x3f800000, 0x4000000000000000}, []uint64{0x4000000000000000, 0x3f800000}},
		{"grow", []uint64{100}, []uint64{0xffffffff}},
	} {
		if got := call(t, i, c.export, c.params...); !slices.Equal(got, c.want) {
			t.Errorf("%s(%#x): %#x, want %#x", c.export, c.params, got, c.want)
		}
	}
	for _, bad := range []string{"missing", "memory", "table"} {
		if _, err := i.Call(t.Context(), bad); err == nil {
			t.Errorf("%s was called", bad)
		}
	}
	if _, err := i.Call(t.Context(), "add", 1); err == nil {
		t.Error("add was called with one parameter")
	}
}

func memory(t *testing.T, start func() engine.Engine) {
	i := instantiate(t, load(t, start, guest))
	m := i.Memory()
	if m.Size() != 1<<16 || m.Maximum() != 3<<16 {
		t.Fatalf("size %d, maximum %d", m.Size(), m.Maximum())
	}
	if b, ok := m.Read(8, 4); !ok || string(b) != "data" {
		t.Errorf("read %q %v", b, ok)
	}
	for _, c := range []struct {
		offset, n uint64
		want      bool
	}{
		{0, 1 << 16, true}, {1 << 16, 0, true}, {1<<16 - 1, 1, true},
		{1 << 16, 1, false}, {1<<16 - 1, 2, false}, {1<<64 - 1, 2, false}, {2, 1<<64 - 1, false}, {1 << 32, 0, false},
	} {
		if _, ok := m.Read(c.offset, c.n); ok != c.want {
			t.Errorf("read %d bytes at %d: %v", c.n, c.offset, ok)
		}
	}
	if m.Write(1<<16-1, []byte{1, 2}) {
		t.Error("wrote past the end")
	}
	call(t, i, "grow", 1)
	if m.Size() != 2<<16 || !m.Write(1<<16, []byte{7}) {
		t.Errorf("after growing: size %d", m.Size())
	}
}

func traps(t *testing.T, start func() engine.Engine) {
	i := instantiate(t, load(t, start, guest))
	for _, c := range []struct {
		export string
		params []uint64
		want   engine.TrapKind
	}{
		{"unreachable", nil, engine.TrapOther},
		{"load", []uint64{0xfffffff0}, engine.TrapOther},
		{"recurse", []uint64{0}, engine.TrapStack},
	} {
		_, err := i.Call(t.Context(), c.export, c.params...)
		var trap *engine.Trap
		if !errors.As(err, &trap) || trap.Kind != c.want {
			t.Errorf("%s: %v", c.export, err)
		}
	}
	if got := call(t, i, "count"); got[0] != 1 {
		t.Errorf("after traps: %v", got)
	}
}

func instances(t *testing.T, start func() engine.Engine) {
	m := load(t, start, guest)
	for range 300 {
		i, err := m.Instantiate(host())
		if err != nil {
			t.Fatal(err)
		}
		if got := call(t, i, "count"); got[0] != 1 {
			t.Fatalf("an instance inherited %v", got)
		}
		i.Close()
		i.Close() // twice is allowed
		if _, err := i.Call(t.Context(), "count"); err == nil {
			t.Fatal("a closed instance was called")
		}
	}
	if m.Worn() {
		t.Error("worn out after 300 small instances")
	}
}

func linking(t *testing.T, start func() engine.Engine) {
	for name, text := range map[string]string{
		"unknown":    `(module (import "env" "f" (func)) (memory (export "memory") 1 1))`,
		"wrong type": `(module (import "host" "poke" (func)) (memory (export "memory") 1 1))`,
		"no memory":  `(module (func (export "f")))`,
	} {
		_, err := load(t, start, text).Instantiate(host())
		var fault *engine.ModuleError
		if !errors.As(err, &fault) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := load(t, start, `(module (memory (export "memory") 1 1) (func $s unreachable) (start $s))`).Instantiate(host())
	var trap *engine.Trap
	if !errors.As(err, &trap) {
		t.Errorf("start function: %v", err)
	}
	for name, b := range map[string][]byte{"empty": nil, "text": []byte("(module)"), "version": []byte("\x00asm\x02\x00\x00\x00")} {
		e := start()
		_, err := e.Compile(b)
		var fault *engine.ModuleError
		if !errors.As(err, &fault) {
			t.Errorf("compile %s: %v", name, err)
		}
		e.Close()
	}
}

func signatures(t *testing.T, start func() engine.Engine) {
	i := instantiate(t, load(t, start, guest))
	params, results, ok := i.Signature("pair")
	if got := fmt.Sprint(params, results, ok); got != fmt.Sprint([]engine.ValueType{engine.F32, engine.F64}, []engine.ValueType{engine.F64, engine.F32}, true) {
		t.Errorf("pair: %s", got)
	}
	for _, none := range []string{"missing", "memory"} {
		if _, _, ok := i.Signature(none); ok {
			t.Errorf("%s has a signature", none)
		}
	}
}
