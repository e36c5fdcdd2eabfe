package wasmer

import "github.com/wasmerio/wasmer-go/wasmer"

const pageSize = 64 << 10

// memory is a guest's linear memory. Its size is fetched for every access,
// since the guest may have grown it; its address never changes.
type memory struct {
	memory *wasmer.Memory
	// locked is the windows that cannot be written, which a host function would
	// die of where the guest traps.
	locked []span
}

// span is a range of the memory.
type span struct{ offset, n uint64 }

func (s span) overlaps(offset, n uint64) bool {
	return offset < s.offset+s.n && s.offset < offset+n
}

// Size implements engine.Memory.
func (m *memory) Size() uint64 {
	if m.memory == nil {
		return 0
	}
	return uint64(m.memory.DataSize())
}

// Maximum implements engine.Memory.
func (m *memory) Maximum() uint64 {
	if m.memory == nil {
		return 0
	}
	return uint64(m.memory.Type().Limits().Maximum()) * pageSize
}

// Read implements engine.Memory.
func (m *memory) Read(offset, n uint64) ([]byte, bool) {
	data, ok := m.at(offset, n)
	if !ok {
		return nil, false
	}
	return append([]byte(nil), data...), true
}

// ReadInto implements engine.Memory.
func (m *memory) ReadInto(offset uint64, b []byte) bool {
	data, ok := m.at(offset, uint64(len(b)))
	if ok {
		copy(b, data)
	}
	return ok
}

// Write implements engine.Memory.
func (m *memory) Write(offset uint64, b []byte) bool {
	for _, s := range m.locked {
		if s.overlaps(offset, uint64(len(b))) {
			return false
		}
	}
	data, ok := m.at(offset, uint64(len(b)))
	if ok {
		copy(data, b)
	}
	return ok
}

func (m *memory) at(offset, n uint64) ([]byte, bool) {
	if m.memory == nil {
		return nil, false
	}
	data := m.memory.Data()
	size := uint64(len(data))
	if offset > size || n > size-offset {
		return nil, false
	}
	return data[offset : offset+n], true
}
