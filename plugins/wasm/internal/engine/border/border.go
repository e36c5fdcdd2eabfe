// Package border finds out what a module imports and exports, which is where it
// meets the host: before an engine sees it, and the same for every engine.
package border

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

// Function is one imported function.
type Function struct {
	Module, Name    string
	Params, Results []engine.ValueType
}

func (f Function) equal(o Function) bool {
	return f.Module == o.Module && f.Name == o.Name &&
		slices.Equal(f.Params, o.Params) && slices.Equal(f.Results, o.Results)
}

// Border is where a module meets the host.
type Border struct {
	// Imports are the functions that it imports, each once, even where it imports
	// one with two types.
	Imports []Function
	// Functions is how many it has, the imported ones among them.
	Functions uint64
}

// MaxValues is the most parameters or results of a host function.
const MaxValues = 16

// Check reads a module's border. It refuses a module that would abort the process
// in the binding of wasmer rather than fail: one that exports something whose type
// has a value that the C API does not know (v128, references), and text, which the
// binding would assemble. It reads only as far as it needs to; the engine validates
// the rest.
func Check(module []byte) (Border, error) {
	if len(module) < 8 || string(module[:8]) != "\x00asm\x01\x00\x00\x00" {
		return Border{}, errTruncated
	}
	b := sections{}
	r := reader{b: module[8:]}
	for len(r.b) > 0 {
		id := r.byte()
		body := reader{b: r.take(r.leb())}
		if r.failed {
			return Border{}, errTruncated
		}
		if err := b.section(id, &body); err != nil {
			return Border{}, err
		}
		if body.failed {
			return Border{}, errTruncated
		}
	}
	return Border{Imports: b.imported, Functions: uint64(len(b.functions))}, b.exports()
}

// sections are what a module's first sections say about its own types.
type sections struct {
	types     []Function // without names
	functions []uint64   // type index of each
	globals   []byte     // type of each
	exported  []exportEntry
	imported  []Function // each once
}

type exportEntry struct {
	name  string
	kind  byte
	index uint64
}

func (b *sections) section(id byte, r *reader) error {
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

func (b *sections) imports(r *reader) (err error) {
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

func (b *sections) importFunction(module, name string, index uint64) error {
	if index >= uint64(len(b.types)) {
		return errTruncated
	}
	f := b.types[index]
	f.Module, f.Name = module, name
	if !all(f, func(t engine.ValueType) bool { return t == engine.I32 || t == engine.I64 }) ||
		max(len(f.Params), len(f.Results)) > MaxValues {
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

func (b *sections) exports() error {
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

func (b *sections) isOdd(index uint64) bool {
	return index < uint64(len(b.types)) && !all(b.types[index], isNumber)
}

func all(f Function, fits func(engine.ValueType) bool) bool {
	unfit := func(t engine.ValueType) bool { return !fits(t) }
	return !slices.ContainsFunc(f.Params, unfit) && !slices.ContainsFunc(f.Results, unfit)
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

// leb reads an unsigned LEB128 number.
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

func (r *reader) functionType() (f Function) {
	r.byte()
	f.Params = r.valueTypes()
	f.Results = r.valueTypes()
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

// Encode writes a border down, for Decode in another process of the same build.
func (b Border) Encode() []byte {
	out := binary.AppendUvarint(nil, b.Functions)
	out = binary.AppendUvarint(out, uint64(len(b.Imports)))
	text := func(s string) { out = append(binary.AppendUvarint(out, uint64(len(s))), s...) }
	types := func(list []engine.ValueType) {
		out = binary.AppendUvarint(out, uint64(len(list)))
		for _, t := range list {
			out = append(out, byte(t))
		}
	}
	for _, f := range b.Imports {
		text(f.Module)
		text(f.Name)
		types(f.Params)
		types(f.Results)
	}
	return out
}

// Decode reads what Encode wrote.
func Decode(raw []byte) (Border, error) {
	r := reader{b: raw}
	b := Border{Functions: r.leb()}
	r.each(func() {
		f := Function{Module: string(r.take(r.leb())), Name: string(r.take(r.leb()))}
		f.Params, f.Results = r.valueTypes(), r.valueTypes()
		b.Imports = append(b.Imports, f)
	})
	if r.failed || len(r.b) != 0 {
		return Border{}, errors.New("compiled code has a damaged list of imports")
	}
	return b, nil
}

// Bind finds the host function for each import, in the order of the imports.
func (b Border) Bind(host []engine.HostFunction) ([]*engine.HostFunction, error) {
	bound := make([]*engine.HostFunction, len(b.Imports))
	for i, f := range b.Imports {
		n := slices.IndexFunc(host, func(h engine.HostFunction) bool { return h.Module == f.Module && h.Name == f.Name })
		if n < 0 {
			return nil, &engine.ModuleError{Reason: fmt.Sprintf("imports %.60q.%.60q, which does not exist", f.Module, f.Name)}
		}
		if !slices.Equal(host[n].Params, f.Params) || !slices.Equal(host[n].Results, f.Results) {
			return nil, &engine.ModuleError{Reason: fmt.Sprintf("imports %q.%q with the wrong type", f.Module, f.Name)}
		}
		bound[i] = &host[n]
	}
	return bound, nil
}
