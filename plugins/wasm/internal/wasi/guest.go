package wasi

import (
	"encoding/binary"

	"github.com/ringfence/ringfence/plugins/wasm/internal/engine"
)

// guest is the guest's memory as WASI functions use it. Offsets are u64, so a
// sum of two u32 of the guest's never wraps.
type guest struct{ memory engine.Memory }

func (g guest) holds(offset, n uint64) bool {
	size := g.memory.Size()
	return offset <= size && n <= size-offset
}

func (g guest) bytes(offset uint64, b []byte) Errno {
	if !g.memory.Write(offset, b) {
		return eFault
	}
	return ok
}

func (g guest) u32(offset uint64, v uint32) Errno {
	return g.bytes(offset, binary.LittleEndian.AppendUint32(nil, v))
}

func (g guest) u64(offset uint64, v uint64) Errno {
	return g.bytes(offset, binary.LittleEndian.AppendUint64(nil, v))
}

// vector is an iovec or ciovec.
type vector struct{ offset, length uint64 }

// vectors reads and checks n iovecs at offset. Their contents stay where they are.
func (g guest) vectors(offset, n uint64) ([]vector, Errno) {
	if n > maxVectors {
		return nil, eInval
	}
	raw, fits := g.memory.Read(offset, 8*n)
	if !fits {
		return nil, eFault
	}
	out := make([]vector, n)
	total := uint64(0)
	for i := range out {
		out[i].offset = uint64(binary.LittleEndian.Uint32(raw[8*i:]))
		out[i].length = uint64(binary.LittleEndian.Uint32(raw[8*i+4:]))
		if !g.holds(out[i].offset, out[i].length) {
			return nil, eFault
		}
		if total += out[i].length; total > 1<<32-1 {
			return nil, eInval // the number of bytes written would not fit its u32
		}
	}
	return out, ok
}

// first returns the first error.
func first(errnos ...Errno) Errno {
	for _, e := range errnos {
		if e != ok {
			return e
		}
	}
	return ok
}
