package wasmer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/ringfence/ringfence/plugins/wasm/internal/engine"
)

// errTruncated is a module that ends before its own lengths say.
var errTruncated = errors.New("is truncated or not a WebAssembly module")

// maxImports is more than there are functions to import.
const maxImports = 256

// function is one imported function.
type function struct {
	module, name    string
	params, results []engine.ValueType
}

func (f function) equal(o function) bool {
	return f.module == o.module && f.name == o.name &&
		slices.Equal(f.params, o.params) && slices.Equal(f.results, o.results)
}

// checkBorder finds out what a module imports and exports. It refuses
// a module that would abort the process in the binding rather than fail: one
// that exports something whose type has a value that the C API does not know
// (v128, references), and text, which the binding would assemble. It reads only
// as far as it needs to; the engine validates the rest.
func checkBorder(module []byte) (border, error) {
	if len(module) < 8 || string(module[:8]) != "\x00asm\x01\x00\x00\x00" {
		return border{}, errTruncated
	}
	b := border{}
	r := reader{b: module[8:]}
	for len(r.b) > 0 {
		id := r.byte()
		body := reader{b: r.take(r.leb())}
		if r.failed {
			return border{}, errTruncated
		}
		if err := b.section(id, &body); err != nil {
			return border{}, err
		}
		if body.failed {
			return border{}, errTruncated
		}
	}
	return b, b.exports()
}

// border is what a module's first sections say about its own types.
type border struct {
	types     []function // without names
	functions []uint64   // type index of each
	globals   []byte     // type of each
	exported  []exportEntry
	imported  []function // each once
}

type exportEntry struct {
	name  string
	kind  byte
	index uint64
}

func (b *border) section(id byte, r *reader) error {
	switch id {
	case 1:
		r.each(func() { b.types = append(b.types, r.functionType()) })
	case 2:
		return b.imports(r)
	case 3:
		r.each(func() { b.functions = append(b.functions, r.leb()) })
	case 6:
		r.each(func() {
			b.globals = append(b.globals, r.byte())
			r.byte()
			r.constant()
		})
	case 7:
		r.each(func() {
			b.exported = append(b.exported, exportEntry{string(r.take(r.leb())), r.byte(), r.leb()})
		})
	}
	return nil
}

func (b *border) imports(r *reader) (err error) {
	r.each(func() {
		module, name := string(r.take(r.leb())), string(r.take(r.leb()))
		kind, index := r.byte(), uint64(0)
		if kind == 0 {
			index = r.leb()
		}
		if err != nil || r.failed {
			return
		}
		if kind != 0 {
			err = fmt.Errorf("imports %.60q.%.60q, which is not a function", module, name)
			r.b = nil
			return
		}
		b.functions = append(b.functions, index)
		err = b.importFunction(module, name, index)
	})
	return err
}

func (b *border) importFunction(module, name string, index uint64) error {
	if index >= uint64(len(b.types)) {
		return errTruncated
	}
	f := b.types[index]
	f.module, f.name = module, name
	if !all(f, func(t engine.ValueType) bool { return t == engine.I32 || t == engine.I64 }) ||
		max(len(f.params), len(f.results)) > maxValues {
		return fmt.Errorf("imports %.60q.%.60q with a type that no host function has", module, name)
	}
	if slices.ContainsFunc(b.imported, f.equal) {
		return nil
	}
	if len(b.imported) == maxImports {
		return fmt.Errorf("imports more than %d functions", maxImports)
	}
	b.imported = append(b.imported, f)
	return nil
}

func (b *border) exports() error {
	for _, e := range b.exported {
		odd := false
		switch e.kind {
		case 0:
			odd = e.index < uint64(len(b.functions)) && b.isOdd(b.functions[e.index])
		case 3:
			odd = e.index < uint64(len(b.globals)) && !isNumber(engine.ValueType(b.globals[e.index]))
		}
		if odd {
			return fmt.Errorf("exports %.60q with a type that is not i32, i64, f32 or f64", e.name)
		}
	}
	return nil
}

func (b *border) isOdd(index uint64) bool {
	return index < uint64(len(b.types)) && !all(b.types[index], isNumber)
}

func all(f function, fits func(engine.ValueType) bool) bool {
	unfit := func(t engine.ValueType) bool { return !fits(t) }
	return !slices.ContainsFunc(f.params, unfit) && !slices.ContainsFunc(f.results, unfit)
}

func isNumber(t engine.ValueType) bool { return t >= engine.F64 && t <= engine.I32 }

// reader reads a module's sections; after a failure it yields zeros.
type reader struct {
	b      []byte
	failed bool
}

func (r *reader) take(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.failed, r.b = true, nil
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) leb() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.failed, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

// each runs f for every item of a vector, as long as there are bytes for it: a
// declared count of four billion costs nothing.
func (r *reader) each(f func()) {
	for n := r.leb(); n > 0 && !r.failed; n-- {
		f()
	}
}

func (r *reader) functionType() (f function) {
	r.byte()
	f.params = r.valueTypes()
	f.results = r.valueTypes()
	return f
}

func (r *reader) valueTypes() []engine.ValueType {
	raw := r.take(r.leb())
	types := make([]engine.ValueType, len(raw))
	for i, t := range raw {
		types[i] = engine.ValueType(t)
	}
	return types
}

// constant skips a constant expression.
func (r *reader) constant() {
	for !r.failed {
		switch op := r.byte(); op {
		case 0x0b:
			return
		case 0x41, 0x42, 0x23, 0xd2: // i32.const, i64.const, global.get, ref.func
			r.leb()
		case 0x43:
			r.take(4)
		case 0x44:
			r.take(8)
		case 0xd0:
			r.byte()
		case 0xfd: // v128.const
			r.leb()
			r.take(16)
		default:
			return
		}
	}
}
