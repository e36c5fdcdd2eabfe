package wasmer

import (
	"fmt"

	"github.com/ringfence/ringfence/plugins/wasm/internal/engine"
	"github.com/ringfence/ringfence/plugins/wasm/internal/engine/border"
	"github.com/wasmerio/wasmer-go/wasmer"
)

// Name is what a policy calls this engine.
const Name = "wasmer"

// Engine compiles with Cranelift and runs in memory ("universal").
type Engine struct {
	store *wasmer.Store // for compiling
}

var _ engine.Engine = (*Engine)(nil)

// New starts an engine.
func New() *Engine { return &Engine{} }

func newStore() *wasmer.Store {
	config := wasmer.NewConfig().UseCraneliftCompiler().UseUniversalEngine()
	return wasmer.NewStore(wasmer.NewEngineWithConfig(config))
}

// Name implements engine.Engine.
func (e *Engine) Name() string { return Name }

// Compile implements engine.Engine.
func (e *Engine) Compile(binary []byte) ([]byte, error) {
	met, err := border.Check(binary)
	if err != nil {
		return nil, &engine.ModuleError{Reason: err.Error()}
	}
	guest, err := e.compile(binary)
	if err != nil {
		return nil, err
	}
	gate, err := e.compile(assembleGate(met.Imports))
	if err != nil {
		return nil, fmt.Errorf("compile the gate: %w", err)
	}
	return parts{guest: guest, gate: gate, border: met}.marshal(), nil
}

func (e *Engine) compile(binary []byte) ([]byte, error) {
	if e.store == nil {
		e.store = newStore()
	}
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
	found, err := parse(compiled)
	if err != nil {
		return nil, err
	}
	m := &Module{parts: found}
	if err := m.open(); err != nil {
		return nil, err
	}
	return m, nil
}

// Close implements engine.Engine.
func (e *Engine) Close() {
	if e.store != nil {
		e.store.Close()
		e.store = nil
	}
}
