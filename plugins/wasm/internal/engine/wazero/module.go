package wazero

import (
	"context"
	"errors"
	"fmt"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"github.com/ringfence/ringfence/plugins/wasm/internal/engine"
	"github.com/ringfence/ringfence/plugins/wasm/internal/engine/border"
	"github.com/ringfence/ringfence/plugins/wasm/internal/engine/window"
)

// Module is compiled code in a runtime of its own. It must be closed after its
// instances.
type Module struct {
	border  border.Border
	runtime wazero.Runtime
	code    wazero.CompiledModule

	// active is whose host functions run. One instance of a module runs at a time.
	active *Instance
}

func (m *Module) open(binary, code []byte) (err error) {
	made := &store{code: code}
	if m.runtime, err = newRuntime(made); err != nil {
		return err
	}
	ctx := context.Background()
	if m.code, err = m.runtime.CompileModule(ctx, binary); err != nil {
		return fmt.Errorf("load compiled code: %w", err)
	}
	if made.stale {
		return errors.New("load compiled code: it is of another version of wazero")
	}
	// Imports are found by name in the runtime, so the host's modules are made
	// once, and their functions ask which instance runs.
	builders := map[string]wazero.HostModuleBuilder{}
	for n, f := range m.border.Imports {
		b := builders[f.Module]
		if b == nil {
			b = m.runtime.NewHostModuleBuilder(f.Module)
			builders[f.Module] = b
		}
		b.NewFunctionBuilder().WithGoModuleFunction(m.dispatch(n), types(f.Params), types(f.Results)).Export(f.Name)
	}
	for name, b := range builders {
		if _, err := b.Instantiate(ctx); err != nil {
			return fmt.Errorf("offer the host's functions of %.60q: %w", name, err)
		}
	}
	return nil
}

func types(list []engine.ValueType) []api.ValueType {
	out := make([]api.ValueType, len(list))
	for i, t := range list {
		out[i] = api.ValueType(t)
	}
	return out
}

// dispatch is the host's side of the n-th import.
func (m *Module) dispatch(n int) api.GoModuleFunc {
	return func(_ context.Context, _ api.Module, stack []uint64) { m.active.hostCall(n, stack) }
}

// Instantiate implements engine.Module.
func (m *Module) Instantiate(host []engine.HostFunction) (engine.Instance, error) {
	if m.code == nil {
		return nil, fmt.Errorf("instantiate: the module is closed")
	}
	bound, err := m.border.Bind(host)
	if err != nil {
		return nil, err
	}
	i := &Instance{module: m, host: bound, exports: map[string]*export{}}
	if err := i.start(); err != nil {
		i.Close()
		return nil, err
	}
	return i, nil
}

// start makes the memory and runs the start function. That has no memory to show
// to host functions yet: they see an empty one and report bad pointers.
func (i *Instance) start() error {
	var pages linear
	allocate := experimental.MemoryAllocatorFunc(func(_, most uint64) experimental.LinearMemory {
		pages.reserve(most)
		return &pages
	})
	ctx := experimental.WithMemoryAllocator(context.Background(), allocate)
	i.enter(context.Background())
	defer i.leave()
	// No function is a start function by its name: _start is not ours to call.
	instance, err := i.module.runtime.InstantiateModule(ctx, i.module.code, wazero.NewModuleConfig().WithName("").WithStartFunctions())
	switch {
	case pages.err != nil:
		err = fmt.Errorf("make the guest's memory: %w", pages.err)
	case err != nil:
		err = i.startFailure(err)
	}
	if instance != nil {
		i.instance = instance
	}
	if err != nil {
		return err
	}
	exported := instance.ExportedMemory("memory")
	if exported == nil {
		return &engine.ModuleError{Reason: `does not export a memory named "memory"`}
	}
	i.memory = memory{memory: exported, pages: &pages, Access: window.Access{Data: pages.data}}
	return nil
}

// Worn implements engine.Module: nothing is kept of an instance that has been
// closed.
func (m *Module) Worn() bool { return false }

// Close implements engine.Module.
func (m *Module) Close() {
	if m.runtime != nil {
		_ = m.runtime.Close(context.Background())
		m.runtime, m.code = nil, nil
	}
}
