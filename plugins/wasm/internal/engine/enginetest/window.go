package enginetest

import (
	"errors"
	"testing"

	"github.com/ringfence/ringfence/plugins/wasm/internal/engine"
	"github.com/ringfence/ringfence/plugins/wasm/internal/wasmtest"
	"golang.org/x/sys/unix"
)

// windows puts pages of a file into a guest's memory. What a store into a window
// that cannot be written comes to is each engine's own.
func windows(t *testing.T, start func() engine.Engine) {
	const page = 64 << 10
	m := load(t, start, `(module (memory (export "memory") 4 16)
		(func (export "load") (param i32) (result i64) local.get 0 i64.load)
		(func (export "store") (param i32 i64) local.get 0 local.get 1 i64.store)
		(func (export "grow") (result i32) i32.const 2 memory.grow))`)
	i, err := m.Instantiate(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	content := make([]byte, 4*page)
	content[page], content[2*page] = 'a', 'b'
	file := wasmtest.Memfd(t, content, 0)
	w := i.(engine.Windower)
	for name, bad := range map[string][3]uint64{ // offset, n, at
		"no pages": {page, 0, 0}, "half a page": {page, 2048, 0}, "misaligned": {page + 8, page, 0}, "misaligned file": {page, page, 8},
		"over the end": {3 * page, 2 * page, 0}, "far outside": {1 << 40, page, 0}, "around": {1<<64 - page, page, 0},
	} {
		if err := w.Window(bad[0], bad[1], uintptr(file), int64(bad[2]), true); err == nil {
			t.Errorf("%s: mapped", name)
		}
	}
	if err := errors.Join(w.Window(page, page, uintptr(file), page, false), w.Window(2*page, page, uintptr(file), 2*page, true)); err != nil {
		t.Fatal(err)
	}
	load := func(at uint64) byte {
		t.Helper()
		v, err := i.Call(t.Context(), "load", at)
		if err != nil {
			t.Fatal(err)
		}
		return byte(v[0])
	}
	check := func(when string) {
		t.Helper()
		if load(page) != 'a' || load(2*page) != 'b' || load(3*page) != 0 {
			t.Errorf("%s: %c %c %d", when, load(page), load(2*page), load(3*page))
		}
	}
	check("mapped")
	if _, err := i.Call(t.Context(), "grow"); err != nil {
		t.Fatal(err)
	}
	check("grown")
	if i.Memory().Write(page-4, make([]byte, 8)) || i.Memory().Write(2*page-1, make([]byte, 1)) || !i.Memory().Write(page-4, make([]byte, 4)) {
		t.Error("a host function writes to the read-only window, or not beside it")
	}
	check("attacked")
	if _, err := i.Call(t.Context(), "store", 2*page, 'c'); err != nil {
		t.Fatal(err)
	}
	one := make([]byte, 1)
	if _, err := unix.Pread(file, one, 2*page); err != nil || one[0] != 'c' {
		t.Errorf("the file has %q, %v", one, err)
	}
	if err := errors.Join(w.Restore(page, page), w.Restore(2*page, page)); err != nil {
		t.Fatal(err)
	}
	if load(page) != 0 || load(2*page) != 0 || !i.Memory().Write(page, one) {
		t.Error("the memory is not its own again")
	}
	if _, err := unix.Pread(file, one, 2*page); err != nil || one[0] != 'c' {
		t.Errorf("the file has %q, %v", one, err)
	}
}

// Locked makes a window that cannot be written, and returns what stores into it.
func Locked(t *testing.T, start func() engine.Engine) (store func() error) {
	t.Helper()
	const page = 64 << 10
	i := instantiate(t, load(t, start, `(module (import "host" "poke" (func $poke (param i32))) (memory (export "memory") 2 2)
		(func (export "store") (param i32) local.get 0 i32.const 1 i32.store))`))
	file := wasmtest.Memfd(t, make([]byte, page), 0)
	if err := i.(engine.Windower).Window(page, page, uintptr(file), 0, false); err != nil {
		t.Fatal(err)
	}
	return func() error {
		_, err := i.Call(t.Context(), "store", page)
		if b, ok := i.Memory().Read(page, 1); !ok || b[0] != 0 {
			t.Errorf("the window holds %v", b)
		}
		return err
	}
}
