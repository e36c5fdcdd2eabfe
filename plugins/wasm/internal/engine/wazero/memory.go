package wazero

import (
	"github.com/tetratelabs/wazero/api"

	"github.com/ringfence/ringfence/plugins/wasm/internal/engine/window"
)

const pageSize = 64 << 10

// memory is a guest's linear memory; the zero value is an empty one.
type memory struct {
	memory api.Memory
	pages  *linear
	window.Access
}

// Size implements engine.Memory.
func (m *memory) Size() uint64 { return uint64(len(m.All())) }

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
