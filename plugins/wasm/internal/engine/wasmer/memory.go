package wasmer

import (
	"github.com/ringfence/ringfence/plugins/wasm/internal/engine/window"
	"github.com/wasmerio/wasmer-go/wasmer"
)

const pageSize = 64 << 10

// memory is a guest's linear memory. Its size is fetched for every access,
// since the guest may have grown it; its address never changes.
type memory struct {
	memory  *wasmer.Memory
	windows window.Windows
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
	if m.windows.Locked(offset, uint64(len(b))) {
		return false
	}
	data, ok := m.at(offset, uint64(len(b)))
	if ok {
		copy(data, b)
	}
	return ok
}

// data is all of the memory as it is now.
func (m *memory) data() []byte {
	if m.memory == nil {
		return nil
	}
	return m.memory.Data()
}

func (m *memory) at(offset, n uint64) ([]byte, bool) {
	data := m.data()
	size := uint64(len(data))
	if offset > size || n > size-offset {
		return nil, false
	}
	return data[offset : offset+n], true
}
