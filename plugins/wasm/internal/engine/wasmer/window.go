package wasmer

import "github.com/ringfence/ringfence/plugins/wasm/internal/engine"

var _ engine.Windower = (*Instance)(nil)

// Window implements engine.Windower. The engine reserves the whole range that a
// memory can grow to and never moves it, so a mapping stays where it is put; and
// it takes a fault in that range for an access out of bounds.
func (i *Instance) Window(offset, n uint64, fd uintptr, at int64, writable bool) error {
	return i.memory.Map(i.memory.All(), offset, n, fd, at, writable)
}

// Restore implements engine.Windower.
func (i *Instance) Restore(offset, n uint64) error {
	return i.memory.Restore(i.memory.All(), offset, n)
}
