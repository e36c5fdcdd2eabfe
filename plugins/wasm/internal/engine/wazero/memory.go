package wazero

import (
	"github.com/tetratelabs/wazero/api"

	"github.com/ringfence/ringfence/plugins/wasm/internal/engine/window"
)

const pageSize = 64 << 10

// memory is a guest's linear memory; the zero value is an empty one.
type memory struct {
	memory  api.Memory
	pages   *linear
	windows window.Windows
}

// data is all of the memory as it is now.
func (m *memory) data() []byte {
	if m.pages == nil {
		return nil
	}
	return m.pages.data()
}

// Size implements engine.Memory.
func (m *memory) Size() uint64 { return uint64(len(m.data())) }

// Maximum implements engine.Memory.
func (m *memory) Maximum() uint64 {
	if m.memory == nil {
		return 0
	}
	most, stated := m.memory.Definition().Max()
	if !stated {
		return uint64(len(m.pages.reserved))
	}
	return uint64(most) * pageSize
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
	if m.windows.Locked(offset, uint64(len(b))) {
		return false
	}
	data, ok := m.at(offset, uint64(len(b)))
	if ok {
		copy(data, b)
	}
	return ok
}

func (m *memory) at(offset, n uint64) ([]byte, bool) {
	data := m.data()
	size := uint64(len(data))
	if offset > size || n > size-offset {
		return nil, false
	}
	return data[offset : offset+n], true
}
