package wasmer

import (
	"fmt"

	"github.com/ringfence/ringfence/plugins/wasm/internal/engine"
	"github.com/wasmerio/wasmer-go/wasmer"
)

// The engine notes every function of every instance in a registry that never
// shrinks, not even when the engine goes. An instance of a Go guest with 5 000
// functions costs 50 to 150 KiB; so a process can make only so many.
const (
	// WearBytes is how much memory the registry may take in all.
	WearBytes = 128 << 20
	// wearPerFunction is what it takes for one function of one instance: an
	// entry of 32 bytes and its key, in tables that grow by doubling.
	wearPerFunction = 64
	// wearPerInstance is what the binding itself leaks.
	wearPerInstance = 4 << 10
)

// Module is compiled code in a store of its own, and the gate that its
// instances share. It must be closed after its instances.
type Module struct {
	parts  parts
	store  *wasmer.Store
	module *wasmer.Module
	gate   *gate
	made   uint64 // instances
}

func (m *Module) open() error {
	m.store = newStore()
	var err error
	if m.module, err = wasmer.DeserializeModule(m.store, m.parts.guest); err != nil {
		m.store.Close()
		return fmt.Errorf("load compiled code: %w", err)
	}
	if m.gate, err = newGate(m.store, m.parts.gate, m.parts.border); err != nil {
		m.module.Close()
		m.module = nil
		m.store.Close()
		return err
	}
	return nil
}

// Instantiate implements engine.Module.
func (m *Module) Instantiate(host []engine.HostFunction) (engine.Instance, error) {
	if m.module == nil {
		return nil, fmt.Errorf("instantiate: the module is closed")
	}
	bound, err := m.gate.bind(host)
	if err != nil {
		return nil, err
	}
	m.made++
	i, err := newInstance(m, bound)
	if err != nil {
		return nil, err // not a nil *Instance in an interface
	}
	return i, nil
}

// Worn implements engine.Module.
func (m *Module) Worn() bool {
	return m.made*(m.parts.border.Functions*wearPerFunction+wearPerInstance) > WearBytes
}

// Close implements engine.Module.
func (m *Module) Close() {
	if m.module != nil {
		m.gate.close()
		m.module.Close()
		m.store.Close()
		m.gate, m.module, m.store = nil, nil, nil
	}
}
