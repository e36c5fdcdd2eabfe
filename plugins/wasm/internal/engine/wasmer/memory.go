package wasmer

import (
	"github.com/ringfence/ringfence/plugins/wasm/internal/engine/window"
	"github.com/wasmerio/wasmer-go/wasmer"
)

const pageSize = 64 << 10

// memory is a guest's linear memory; the zero value is an empty one.
type memory struct {
	memory *wasmer.Memory
	window.Access
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
