package wasmer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
)

// An artifact is a header of our own before what wasmer serialised. Wasmer runs
// what it is given, so the host authenticates artifacts; the header only keeps
// an honest mistake (another version, a truncated file) from being run.
//
//	0   8 bytes   magic
//	8   3 × u64   lengths of the three parts
//	32  u64       number of functions in the guest
//	40  88 bytes  identity, padded with zeros
//	128           the guest's code, the gate's code, the list of imports, each
//	              padded to 16 bytes, which the engine needs
const (
	magic        = "rfwasmer"
	lengthsAt    = 8
	functionsAt  = 32
	identityAt   = 40
	headerLength = 128
	alignment    = 16
)

// artifact is what Compile makes and Load takes.
type artifact struct {
	guest, gate []byte
	imported    []function
	functions   uint64
}

// identity names everything that makes compiled code unusable elsewhere, the
// CPU's features aside: those are part of the host's cache key.
func identity() string {
	return "4 wasmer 2.0.0 cranelift universal " + runtime.GOOS + "/" + runtime.GOARCH
}

func (a artifact) marshal() []byte {
	parts := [][]byte{a.guest, a.gate, marshalImports(a.imported)}
	out := make([]byte, headerLength, headerLength+len(a.guest)+len(a.gate)+len(parts[2])+3*alignment)
	copy(out, magic)
	copy(out[identityAt:], identity())
	binary.LittleEndian.PutUint64(out[functionsAt:], a.functions)
	for i, p := range parts {
		binary.LittleEndian.PutUint64(out[lengthsAt+8*i:], uint64(len(p)))
		out = append(out, p...)
		out = append(out, make([]byte, padding(len(p)))...)
	}
	return out
}

func parseArtifact(b []byte) (artifact, error) {
	if len(b) < headerLength || string(b[:len(magic)]) != magic {
		return artifact{}, errors.New("not code that this sandbox compiled")
	}
	var want [headerLength - identityAt]byte
	copy(want[:], identity())
	if string(b[identityAt:headerLength]) != string(want[:]) {
		return artifact{}, fmt.Errorf("compiled code is of another engine: want %q", identity())
	}
	r := reader{b: b[headerLength:]}
	var parts [3][]byte
	for i := range parts {
		n := binary.LittleEndian.Uint64(b[lengthsAt+8*i:])
		parts[i] = r.take(n)
		r.take(uint64(padding(len(parts[i]))))
	}
	if r.failed || len(r.b) != 0 {
		return artifact{}, errors.New("compiled code has another length than its header says")
	}
	imported, err := parseImports(parts[2])
	functions := binary.LittleEndian.Uint64(b[functionsAt:])
	return artifact{guest: parts[0], gate: parts[1], imported: imported, functions: functions}, err
}

func padding(n int) int { return -n & (alignment - 1) }

func marshalImports(imported []function) []byte {
	out := leb(nil, uint64(len(imported)))
	for _, f := range imported {
		out = append(out, name(f.module)...)
		out = append(out, name(f.name)...)
		out = append(out, name(string(typeBytes(f.params)))...)
		out = append(out, name(string(typeBytes(f.results)))...)
	}
	return out
}

func parseImports(b []byte) (imported []function, err error) {
	r := reader{b: b}
	r.each(func() {
		f := function{module: string(r.take(r.leb())), name: string(r.take(r.leb()))}
		f.params, f.results = r.valueTypes(), r.valueTypes()
		imported = append(imported, f)
	})
	if r.failed || len(r.b) != 0 {
		return nil, errors.New("compiled code has a damaged list of imports")
	}
	return imported, nil
}
