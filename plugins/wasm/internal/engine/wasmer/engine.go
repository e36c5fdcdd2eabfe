package wasmer

import (
	"fmt"

	"github.com/ringfence/ringfence/plugins/wasm/internal/engine"
	"github.com/wasmerio/wasmer-go/wasmer"
)

// Name is what a policy calls this engine.
const Name = "wasmer"

// Engine compiles with Cranelift and runs in memory ("universal").
type Engine struct {
	store *wasmer.Store
}

var _ engine.Engine = (*Engine)(nil)

// New starts an engine.
func New() *Engine {
	config := wasmer.NewConfig().UseCraneliftCompiler().UseUniversalEngine()
	return &Engine{store: wasmer.NewStore(wasmer.NewEngineWithConfig(config))}
}

// Name implements engine.Engine.
func (e *Engine) Name() string { return Name }

// Compile implements engine.Engine.
func (e *Engine) Compile(binary []byte) ([]byte, error) {
	imported, err := checkBorder(binary)
	if err != nil {
		return nil, &engine.ModuleError{Reason: err.Error()}
	}
	guest, err := e.compile(binary)
	if err != nil {
		return nil, err
	}
	gate, err := e.compile(assembleGate(imported))
	if err != nil {
		return nil, fmt.Errorf("compile the gate: %w", err)
	}
	return artifact{guest: guest, gate: gate, imported: imported}.marshal(), nil
}

func (e *Engine) compile(binary []byte) ([]byte, error) {
	module, err := wasmer.NewModule(e.store, binary)
	if err != nil {
		return nil, &engine.ModuleError{Reason: "cannot be compiled: " + err.Error()}
	}
	defer module.Close()
	code, err := module.Serialize()
	if err != nil {
		return nil, fmt.Errorf("serialise compiled code: %w", err)
	}
	return code, nil
}

// Load implements engine.Engine. Nothing is compiled here.
func (e *Engine) Load(compiled []byte) (engine.Module, error) {
	parts, err := parseArtifact(compiled)
	if err != nil {
		return nil, err
	}
	module, err := wasmer.DeserializeModule(e.store, parts.guest)
	if err != nil {
		return nil, fmt.Errorf("load compiled code: %w", err)
	}
	g, err := newGate(e.store, parts.gate, parts.imported)
	if err != nil {
		module.Close()
		return nil, err
	}
	return &Module{engine: e, module: module, gate: g}, nil
}

// Close implements engine.Engine.
func (e *Engine) Close() {
	if e.store != nil {
		e.store.Close()
		e.store = nil
	}
}

// Module is compiled code in a store, and the gate that its instances share.
// It must be closed after its instances.
type Module struct {
	engine *Engine
	module *wasmer.Module
	gate   *gate
}

// Instantiate implements engine.Module.
func (m *Module) Instantiate(host []engine.HostFunction) (engine.Instance, error) {
	bound, err := m.gate.bind(host)
	if err != nil {
		return nil, err
	}
	i, err := newInstance(m, bound)
	if err != nil {
		return nil, err // not a nil *Instance in an interface
	}
	return i, nil
}

// Close implements engine.Module.
func (m *Module) Close() {
	if m.module != nil {
		m.gate.close()
		m.module.Close()
		m.module = nil
	}
}
