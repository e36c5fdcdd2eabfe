package wasmer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"

	"github.com/ringfence/ringfence/plugins/wasm/internal/engine"
	"github.com/ringfence/ringfence/plugins/wasm/internal/engine/border"
	"github.com/ringfence/ringfence/plugins/wasm/internal/engine/window"
	"github.com/wasmerio/wasmer-go/wasmer"
)

// Instance holds every wrapper that its functions need to stay callable: an
// exported function keeps alive neither its instance nor its store.
type Instance struct {
	module   *Module
	host     []*engine.HostFunction // by the gate's numbers
	instance *wasmer.Instance
	memory   memory
	exports  map[string]*export

	// Of the call that is running; see gate.
	ctx     context.Context
	stopped bool
	fault   error
	stack   [border.MaxValues]uint64
}

type export struct {
	function *wasmer.Function
	native   wasmer.NativeFunction
	params   []wasmer.ValueKind
}

func newInstance(m *Module, host []*engine.HostFunction) (*Instance, error) {
	i := &Instance{module: m, host: host, exports: map[string]*export{}}
	// A start function runs inside NewInstance, before there is a memory to
	// give to host functions: they see an empty one and report bad pointers.
	m.gate.enter(context.Background(), i)
	defer m.gate.leave()
	instance, err := wasmer.NewInstance(m.module, m.gate.imports)
	if err != nil {
		var trap *wasmer.TrapError
		if errors.As(err, &trap) {
			return nil, i.classify(trap)
		}
		return nil, &engine.ModuleError{Reason: "cannot be linked: " + err.Error()}
	}
	i.instance = instance
	extern, err := instance.Exports.Get("memory")
	if err != nil || extern.Kind() != wasmer.MEMORY {
		instance.Close()
		return nil, &engine.ModuleError{Reason: `does not export a memory named "memory"`}
	}
	exported := extern.IntoMemory()
	i.memory = memory{memory: exported, Access: window.Access{Data: exported.Data}}
	return i, nil
}

// Memory implements engine.Instance.
func (i *Instance) Memory() engine.Memory { return &i.memory }

// Call implements engine.Instance.
func (i *Instance) Call(ctx context.Context, name string, params ...uint64) ([]uint64, error) {
	if i.instance == nil {
		return nil, fmt.Errorf("call %s: the instance is closed", name)
	}
	e, err := i.export(name)
	if err != nil {
		return nil, err
	}
	if len(params) != len(e.params) {
		return nil, &engine.ModuleError{Reason: fmt.Sprintf("export %q takes %d parameters, not %d", name, len(e.params), len(params))}
	}
	arguments := make([]any, len(params))
	for n, p := range params {
		arguments[n] = toGo(p, e.params[n])
	}
	i.module.gate.enter(ctx, i)
	result, err := e.native(arguments...)
	i.module.gate.leave()
	runtime.KeepAlive(i)
	if err != nil {
		return nil, i.classify(err)
	}
	return fromGo(result), nil
}

// Signature implements engine.Instance.
func (i *Instance) Signature(name string) (params, results []engine.ValueType, ok bool) {
	e, err := i.export(name)
	if err != nil {
		return nil, nil, false
	}
	ty := e.function.Type()
	return valueTypes(ty.Params()), valueTypes(ty.Results()), true
}

// export finds an exported function once. checkBorder has made sure that its
// type has only numbers in it: the binding aborts on others.
func (i *Instance) export(name string) (*export, error) {
	if e, ok := i.exports[name]; ok {
		return e, nil
	}
	extern, err := i.instance.Exports.Get(name)
	if err != nil || extern.Kind() != wasmer.FUNCTION {
		return nil, &engine.ModuleError{Reason: fmt.Sprintf("does not export a function named %q", name)}
	}
	e := &export{function: extern.IntoFunction()}
	for _, p := range e.function.Type().Params() {
		e.params = append(e.params, p.Kind())
	}
	e.native = e.function.Native()
	i.exports[name] = e
	return e, nil
}

// Close implements engine.Instance. The linear memory is unmapped at once.
func (i *Instance) Close() {
	if i.instance == nil {
		return
	}
	i.memory = memory{}
	i.exports = nil
	i.instance.Close()
	i.instance = nil
}

func valueTypes(kinds []*wasmer.ValueType) []engine.ValueType {
	out := make([]engine.ValueType, len(kinds))
	for n, k := range kinds {
		out[n] = byKind[k.Kind()]
	}
	return out
}

var byKind = map[wasmer.ValueKind]engine.ValueType{
	wasmer.I32: engine.I32, wasmer.I64: engine.I64, wasmer.F32: engine.F32, wasmer.F64: engine.F64,
}

func toGo(v uint64, kind wasmer.ValueKind) any {
	switch kind {
	case wasmer.I32:
		return int32(uint32(v))
	case wasmer.F32:
		return math.Float32frombits(uint32(v))
	case wasmer.F64:
		return math.Float64frombits(v)
	default:
		return int64(v)
	}
}

func fromGo(result any) []uint64 {
	switch v := result.(type) {
	case nil:
		return nil
	case int32:
		return []uint64{uint64(uint32(v))}
	case int64:
		return []uint64{uint64(v)}
	case float32:
		return []uint64{uint64(math.Float32bits(v))}
	case float64:
		return []uint64{math.Float64bits(v)}
	case []any:
		var all []uint64
		for _, one := range v {
			all = append(all, fromGo(one)...)
		}
		return all
	}
	return nil
}
