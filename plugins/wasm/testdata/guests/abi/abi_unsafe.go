// Package abi is docs/guest-abi.md in raw form, for test guests that must be
// able to break it. Tools use the SDK instead.
package abi

import (
	"encoding/binary"
	"unsafe"
)

// Pointer is an address in the guest's memory.
type Pointer = unsafe.Pointer

//go:wasmimport ringfence log
func Log(level uint32, pointer unsafe.Pointer, length uint32)

//go:wasmimport ringfence http
func HTTP(request unsafe.Pointer, requestLength uint32, body unsafe.Pointer, bodyLength uint32) int64

//go:wasmimport ringfence head
func Head(handle int64, pointer unsafe.Pointer, capacity uint32) int32

//go:wasmimport ringfence read
func Read(handle int64, offset int64, pointer unsafe.Pointer, length uint32) int32

//go:wasmimport ringfence close
func Close(handle int64) int32

//go:wasmimport ringfence secret_exists
func SecretExists(pointer unsafe.Pointer, length uint32) int32

//go:wasmimport ringfence error
func Error(pointer unsafe.Pointer, capacity uint32) int32

var (
	buffers = map[unsafe.Pointer][]uint64{}
	record  [16]byte
	keep    []byte
)

// Alloc is the body of ringfence_alloc.
func Alloc(size, align uint32) unsafe.Pointer {
	b := make([]uint64, size/8+1)
	p := unsafe.Pointer(&b[0])
	buffers[p] = b
	return p
}

// Free is the body of ringfence_free.
func Free(p unsafe.Pointer) { delete(buffers, p) }

// Bytes are n bytes at p.
func Bytes(p unsafe.Pointer, n uint32) []byte { return unsafe.Slice((*byte)(p), n) }

// At is where b begins.
func At(b []byte) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(b)) }

// Packed is pointer and length in one value.
func Packed(b []byte) uint64 {
	keep = b
	return uint64(uintptr(At(b)))<<32 | uint64(len(b))
}

// Result makes a result record.
func Result(status uint32, b []byte) unsafe.Pointer {
	keep = b
	binary.LittleEndian.PutUint32(record[0:], status)
	binary.LittleEndian.PutUint32(record[4:], uint32(uintptr(At(b))))
	binary.LittleEndian.PutUint32(record[8:], uint32(len(b)))
	return unsafe.Pointer(&record[0])
}
