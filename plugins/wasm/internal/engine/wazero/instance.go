package wazero

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/sys"

	"github.com/ringfence/ringfence/plugins/wasm/internal/engine"
)

// Instance is one instantiation.
type Instance struct {
	module   *Module
	host     []*engine.HostFunction // by the border's numbers
	instance api.Module
	memory   memory
	exports  map[string]*export

	// Of the call that is running.
	ctx     context.Context
	stopped bool
	fault   error
}

// export is a function that has been called before. It owns the stack that the
// guest runs on, so it serves one call at a time.
type export struct {
	function        api.Function
	params, results []engine.ValueType
}

var _ engine.Windower = (*Instance)(nil)

// Memory implements engine.Instance.
func (i *Instance) Memory() engine.Memory { return &i.memory }

// Window implements engine.Windower.
func (i *Instance) Window(offset, n uint64, fd uintptr, at int64, writable bool) error {
	return i.memory.Map(i.memory.All(), offset, n, fd, at, writable)
}

// Restore implements engine.Windower.
func (i *Instance) Restore(offset, n uint64) error {
	return i.memory.Restore(i.memory.All(), offset, n)
}

// Call implements engine.Instance.
func (i *Instance) Call(ctx context.Context, name string, params ...uint64) ([]uint64, error) {
	if i.instance == nil {
		return nil, fmt.Errorf("call %s: the instance is closed", name)
	}
	e := i.export(name)
	if e == nil {
		return nil, &engine.ModuleError{Reason: fmt.Sprintf("does not export a function named %q", name)}
	}
	if len(params) != len(e.params) {
		return nil, &engine.ModuleError{Reason: fmt.Sprintf("export %q takes %d parameters, not %d", name, len(e.params), len(params))}
	}
	stack := make([]uint64, max(len(e.params), len(e.results)))
	copy(stack, params)
	i.enter(ctx)
	err := e.function.CallWithStack(ctx, stack)
	i.leave()
	if err != nil {
		return nil, i.classify(err)
	}
	return zeroExtended(stack[:len(e.results)], e.results), nil
}

// zeroExtended cuts what is not part of a 32-bit value: the engine leaves it be.
func zeroExtended(values []uint64, types []engine.ValueType) []uint64 {
	for n, t := range types {
		if t == engine.I32 || t == engine.F32 {
			values[n] = uint64(uint32(values[n]))
		}
	}
	return values
}

// Signature implements engine.Instance.
func (i *Instance) Signature(name string) (params, results []engine.ValueType, ok bool) {
	e := i.export(name)
	if e == nil {
		return nil, nil, false
	}
	return e.params, e.results, true
}

func (i *Instance) export(name string) *export {
	if e := i.exports[name]; e != nil || i.instance == nil {
		return e
	}
	f := i.instance.ExportedFunction(name)
	if f == nil {
		return nil
	}
	d := f.Definition()
	e := &export{function: f, params: valueTypes(d.ParamTypes()), results: valueTypes(d.ResultTypes())}
	i.exports[name] = e
	return e
}

func valueTypes(list []api.ValueType) []engine.ValueType {
	out := make([]engine.ValueType, len(list))
	for n, t := range list {
		out[n] = engine.ValueType(t)
	}
	return out
}

// hostCall is what every host call comes through. Stopping a guest is a panic that
// the engine turns into the error of its call; another panic ends the guest too,
// and is reported as the sandbox's own fault.
func (i *Instance) hostCall(n int, stack []uint64) {
	f := i.host[n]
	zeroExtended(stack[:len(f.Params)], f.Params)
	if !i.run(f, stack) || f.Exits {
		i.stopped = true
		panic(sys.NewExitError(0))
	}
}

func (i *Instance) run(f *engine.HostFunction, stack []uint64) (ok bool) {
	defer func() {
		if p := recover(); p != nil {
			i.fault = fmt.Errorf("host function %s.%s: panic: %v", f.Module, f.Name, p)
			ok = false
		}
	}()
	f.Call(i.ctx, &i.memory, stack[:max(len(f.Params), len(f.Results))])
	return true
}

// enter makes i the instance whose host functions run, until leave.
func (i *Instance) enter(ctx context.Context) {
	i.ctx, i.stopped, i.fault = ctx, false, nil
	i.module.active = i
}

func (i *Instance) leave() {
	i.ctx = nil
	i.module.active = nil
}

// classify turns the engine's error into ours. It says only in words why a guest
// trapped, so the words are matched; what follows the first line is a backtrace
// with the guest's own names.
func (i *Instance) classify(err error) error {
	if i.fault != nil {
		return i.fault
	}
	message, _, _ := strings.Cut(err.Error(), "\n")
	message = strings.TrimPrefix(message, "wasm error: ")
	switch {
	case i.stopped:
		return &engine.Trap{Kind: engine.TrapExited, Message: "exited"}
	case strings.Contains(message, "stack overflow"):
		return &engine.Trap{Kind: engine.TrapStack, Message: "call stack exhausted"}
	}
	return &engine.Trap{Kind: engine.TrapOther, Message: message}
}

// startFailure is why an instance could not be made: its start function trapped,
// or it cannot be linked.
func (i *Instance) startFailure(err error) error {
	var exit *sys.ExitError
	if i.fault != nil || errors.As(err, &exit) || strings.Contains(err.Error(), "wasm error: ") {
		return i.classify(unwrapped(err))
	}
	return &engine.ModuleError{Reason: "cannot be linked: " + err.Error()}
}

// unwrapped is the innermost error, without what the engine says around it.
func unwrapped(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

// Close implements engine.Instance. The linear memory is unmapped at once.
func (i *Instance) Close() {
	if i.instance == nil {
		return
	}
	i.memory, i.exports = memory{}, nil
	_ = i.instance.Close(context.Background())
	i.instance = nil
}
