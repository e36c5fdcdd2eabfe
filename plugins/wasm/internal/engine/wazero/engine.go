package wazero

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/ringfence/ringfence/plugins/wasm/internal/engine"
	"github.com/ringfence/ringfence/plugins/wasm/internal/engine/artifact"
	"github.com/ringfence/ringfence/plugins/wasm/internal/engine/border"
)

// Name is what a policy calls this engine.
const Name = "wazero"

// Engine compiles with wazero's optimising compiler. It has no state.
type Engine struct{}

var _ engine.Engine = (*Engine)(nil)

// New starts an engine.
func New() *Engine { return &Engine{} }

// Name implements engine.Engine.
func (*Engine) Name() string { return Name }

// Close implements engine.Engine.
func (*Engine) Close() {}

func identity() string {
	return "1 wazero " + version + " " + runtime.GOOS + "/" + runtime.GOARCH
}

// newRuntime is a runtime whose compiled code goes to and comes from the store.
func newRuntime(s *store) (wazero.Runtime, error) {
	cache, err := s.cache()
	if err != nil {
		return nil, err
	}
	config := wazero.NewRuntimeConfigCompiler().WithCoreFeatures(api.CoreFeaturesV2).WithCompilationCache(cache)
	return wazero.NewRuntimeWithConfig(context.Background(), config), nil
}

// Compile implements engine.Engine. The module goes with its code: loading reads
// its types, its data and its exports again, and skips what takes long.
func (e *Engine) Compile(binary []byte) ([]byte, error) {
	met, err := border.Check(binary)
	if err != nil {
		return nil, &engine.ModuleError{Reason: err.Error()}
	}
	var made store
	r, err := newRuntime(&made)
	if err != nil {
		return nil, err
	}
	defer r.Close(context.Background())
	if err := compile(r, binary); err != nil {
		return nil, err
	}
	if made.code == nil {
		return nil, errors.New("wazero kept no compiled code")
	}
	return artifact.Marshal(identity(), binary, made.code, met.Encode()), nil
}

func compile(r wazero.Runtime, binary []byte) (err error) {
	defer func() { // a bug of the compiler's is the module's fault here
		if p := recover(); p != nil {
			err = &engine.ModuleError{Reason: fmt.Sprintf("cannot be compiled: panic: %v", p)}
		}
	}()
	if _, err := r.CompileModule(context.Background(), binary); err != nil {
		return &engine.ModuleError{Reason: "cannot be compiled: " + err.Error()}
	}
	return nil
}

// Load implements engine.Engine. Nothing of the module is compiled here.
func (e *Engine) Load(compiled []byte) (engine.Module, error) {
	parts, err := artifact.Parse(compiled, identity())
	if err != nil {
		return nil, err
	}
	met, err := border.Decode(parts[2])
	if err != nil {
		return nil, err
	}
	m := &Module{border: met}
	if err := m.open(append([]byte(nil), parts[0]...), parts[1]); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}
