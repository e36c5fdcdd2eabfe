package wasmer

import (
	"encoding/binary"

	"github.com/ringfence/ringfence/plugins/wasm/internal/engine"
	"github.com/ringfence/ringfence/plugins/wasm/internal/engine/border"
)

// Opcodes of the gate's functions.
const (
	opUnreachable = 0x00
	opIf          = 0x04
	opEnd         = 0x0b
	opCall        = 0x10
	opLocalGet    = 0x20
	opI32Load     = 0x28
	opI64Load     = 0x29
	opI32Store    = 0x36
	opI64Store    = 0x37
	opI32Const    = 0x41
	opI64Type     = 0x7e
	opI32Type     = 0x7f
	opI32Sub      = 0x6b
	opLocalSet    = 0x21
	opI32WrapI64  = 0xa7
	opI64ExtendU  = 0xad
	blockVoid     = 0x40
)

// assembleGate writes the gate's module. Function 0 is the imported dispatch,
// function i+1 stands for functions[i].
func assembleGate(functions []border.Function) []byte {
	types := [][]byte{{0x60, 0, 0}}
	imports := [][]byte{append(append(name("host"), name("dispatch")...), 0x00, 0x00)}
	exports := [][]byte{append(name("memory"), 0x02, 0x00)}
	var funcs, bodies [][]byte
	for i, f := range functions {
		t := []byte{0x60}
		t = append(leb(t, uint64(len(f.Params))), typeBytes(f.Params)...)
		t = append(leb(t, uint64(len(f.Results))), typeBytes(f.Results)...)
		types = append(types, t)
		funcs = append(funcs, leb(nil, uint64(i+1)))
		exports = append(exports, leb(append(name(gateExport(i)), 0x00), uint64(i+1)))
		bodies = append(bodies, sized(gateBody(i, f, len(functions)+1)))
	}
	types = append(types, []byte{0x60, 2, opI32Type, opI32Type, 0})
	funcs = append(funcs, leb(nil, uint64(len(functions)+1)))
	bodies = append(bodies, sized(reserveBody(len(functions)+1)))
	out := []byte("\x00asm\x01\x00\x00\x00")
	out = section(out, 1, types)
	out = section(out, 2, imports)
	out = section(out, 3, funcs)
	out = section(out, 5, [][]byte{{0x01, 1, 1}})
	out = section(out, 7, exports)
	return section(out, 10, bodies)
}

func gateBody(number int, f border.Function, reserve int) []byte {
	b := []byte{0} // no locals beyond the parameters
	b = append(b, opI32Const, 0, opI32Const)
	b = sleb(b, int64(number))
	b = memarg(append(b, opI32Store), 2, mailFunction)
	for i, t := range f.Params {
		b = append(b, opI32Const, 0, opLocalGet)
		b = leb(b, uint64(i))
		if t == engine.I32 {
			b = append(b, opI64ExtendU)
		}
		b = memarg(append(b, opI64Store), 3, mailStack+8*i)
	}
	b = append(b, opI32Const, reserveDepth-1, opI32Const, 0, opCall)
	b = leb(b, uint64(reserve))
	b = append(b, opCall, 0)
	b = memarg(append(b, opI32Const, 0, opI32Load), 2, mailStop)
	b = append(b, opIf, blockVoid, opUnreachable, opEnd)
	for i, t := range f.Results {
		b = memarg(append(b, opI32Const, 0, opI64Load), 3, mailStack+8*i)
		if t == engine.I32 {
			b = append(b, opI32WrapI64)
		}
	}
	return append(b, opEnd)
}

// The stack that a host call finds at least: depth × frame is 64 KiB. A frame
// stays below a page, above which compiled code asks a function of the engine's
// to touch the stack, and a fault in there is not taken for the guest's.
const (
	reserveDepth  = 32
	reserveValues = 256 // 8 bytes each in a frame
)

// reserveBody is the function ($depth, $never i32). A guest can call the host
// at the very end of its stack, where the host's own C and Go frames would meet
// the guard page: a fault outside of WASM code, which ends the process. So the
// gate first goes deeper than the host will, in WASM code, where the same fault
// is a clean trap.
//
//	if $never
//	  load so many values that they have to live in the frame, call, store them
//	if $depth
//	  reserve($depth - 1, $never)
func reserveBody(self int) []byte {
	const locals = 2 // the parameters
	b := append(leb([]byte{1}, reserveValues), opI64Type)
	b = append(b, opLocalGet, 1, opIf, blockVoid)
	for i := range reserveValues {
		b = memarg(append(b, opI32Const, 0, opI64Load), 3, 8*i)
		b = leb(append(b, opLocalSet), uint64(locals+i))
	}
	b = append(b, opCall, 0)
	for i := range reserveValues {
		b = leb(append(b, opI32Const, 0, opLocalGet), uint64(locals+i))
		b = memarg(append(b, opI64Store), 3, 8*i)
	}
	b = append(b, opEnd, opLocalGet, 0, opIf, blockVoid)
	b = append(b, opLocalGet, 0, opI32Const, 1, opI32Sub, opLocalGet, 1, opCall)
	b = leb(b, uint64(self))
	return append(b, opEnd, opEnd)
}

func sized(body []byte) []byte { return append(leb(nil, uint64(len(body))), body...) }

func typeBytes(types []engine.ValueType) []byte {
	b := make([]byte, len(types))
	for i, t := range types {
		b[i] = byte(t)
	}
	return b
}

func section(out []byte, id byte, items [][]byte) []byte {
	body := leb(nil, uint64(len(items)))
	for _, item := range items {
		body = append(body, item...)
	}
	return append(leb(append(out, id), uint64(len(body))), body...)
}

func name(s string) []byte { return append(leb(nil, uint64(len(s))), s...) }

func memarg(b []byte, align byte, offset int) []byte {
	return leb(append(b, align), uint64(offset))
}

func leb(b []byte, v uint64) []byte { return binary.AppendUvarint(b, v) }

func sleb(b []byte, v int64) []byte {
	for {
		low := byte(v & 0x7f)
		v >>= 7
		if v == 0 && low&0x40 == 0 || v == -1 && low&0x40 != 0 {
			return append(b, low)
		}
		b = append(b, low|0x80)
	}
}
