package guest

import (
	"encoding/binary"

	"github.com/ringfence/ringfence/pluginkit/internal/registry"
)

// What the host reads after an export has returned: kept here, so that the
// collector leaves it in place until the next call.
var (
	lent     buffers
	manifest []byte
	result   []byte
	record   aligned
)

// aligned is a result record; the empty array aligns it.
type aligned struct {
	_     [0]uint64
	bytes [16]byte
}

//go:wasmexport ringfence_abi_1
func abiVersion() {}

//go:wasmexport ringfence_describe
func describe() int64 {
	if manifest == nil {
		manifest = registry.Manifest()
	}
	return int64(address(manifest))<<32 | int64(len(manifest))
}

//go:wasmexport ringfence_alloc
func alloc(size, align uint32) uint32 { return uint32(lent.alloc(size, align)) }

//go:wasmexport ringfence_free
func free(pointer uint32) { lent.free(uintptr(pointer)) }

//go:wasmexport ringfence_call
func call(tool, pointer, length uint32) uint32 {
	result = nil
	arguments, ok := lent.view(uintptr(pointer), length)
	if !ok {
		panic("guest: the host passed arguments outside the memory that it holds")
	}
	var status uint32
	status, result = registry.Call(nil, tool, arguments)
	binary.LittleEndian.PutUint32(record.bytes[0:], status)
	binary.LittleEndian.PutUint32(record.bytes[4:], uint32(address(result)))
	binary.LittleEndian.PutUint32(record.bytes[8:], uint32(len(result)))
	return uint32(address(record.bytes[:]))
}
