package shmchan

import (
	"sync/atomic"
	"unsafe"
)

// wordAt is a 64-bit word of shared memory. Slicing first makes the bounds
// check part of the call; offsets are ours, never the peer's.
//
// Preconditions: off is a multiple of 8, mem begins on a page or comes from
// heapWords.
func wordAt(mem []byte, off int) *atomic.Uint64 {
	return (*atomic.Uint64)(unsafe.Pointer(unsafe.SliceData(mem[off : off+8])))
}

// flagAt is a 32-bit word of shared memory; see wordAt.
func flagAt(mem []byte, off int) *atomic.Uint32 {
	return (*atomic.Uint32)(unsafe.Pointer(unsafe.SliceData(mem[off : off+4])))
}

// peerSlot is a descriptor that the peer writes. Its words can only be loaded
// as words, each time from memory: a compiler cannot fold two loads into one or
// split one into two, and a reviewer sees how often each is loaded.
type peerSlot struct{ word [4]atomic.Uint64 }

// ownSlot is a descriptor that this end writes. Plain stores do: the store of
// the head, which follows, publishes them.
type ownSlot struct{ word [4]uint64 }

func peerSlots(mem []byte, g *ringGeometry) []peerSlot {
	b := mem[g.slotsOff : g.slotsOff+int64(g.slots)*slotSize]
	return unsafe.Slice((*peerSlot)(unsafe.Pointer(unsafe.SliceData(b))), g.slots)
}

func ownSlots(mem []byte, g *ringGeometry) []ownSlot {
	b := mem[g.slotsOff : g.slotsOff+int64(g.slots)*slotSize]
	return unsafe.Slice((*ownSlot)(unsafe.Pointer(unsafe.SliceData(b))), g.slots)
}

// heapWords allocates zeroed bytes that begin on a word.
func heapWords(size int64) []byte {
	w := make([]uint64, size/8)
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(w))), size)
}
