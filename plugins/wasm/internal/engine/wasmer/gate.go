package wasmer

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/ringfence/ringfence/plugins/wasm/internal/engine"
	"github.com/ringfence/ringfence/plugins/wasm/internal/engine/border"
	"github.com/wasmerio/wasmer-go/wasmer"
)

// The gate's mailbox: one page of memory that belongs to the gate, not to the
// guest. The gate's functions leave their number and parameters there, call the
// host, and take the results from the same place.
const (
	mailFunction = 0  // u32: which function was called
	mailStop     = 4  // u32: not 0: the guest must not go on
	mailStack    = 16 // 8 bytes a value: parameters in, results out
)

// gate stands between a guest and its host functions. It is a WASM module in
// the same store, made from the guest's imports and compiled together with the
// guest, with one function for each import:
//
//	store the function's number and the parameters in the mailbox
//	reserve stack                      ;; see reserveBody
//	call dispatch                      ;; () -> (), the one real host function
//	if mailbox.stop then unreachable   ;; how a host function ends a guest
//	load the results from the mailbox
//
// A host function without parameters and results allocates nothing in the
// binding, so nothing leaks and a call is ten times faster; and a trap that
// the gate raises is safe, where one that the host returns is not.
type gate struct {
	border   border.Border
	module   *wasmer.Module
	dispatch *wasmer.Function
	instance *wasmer.Instance
	imports  *wasmer.ImportObject
	mail     []byte

	// active is whose host functions run. One instance of a module runs at a time.
	active *Instance
}

func newGate(store *wasmer.Store, code []byte, met border.Border) (*gate, error) {
	g := &gate{border: met, imports: wasmer.NewImportObject()}
	var err error
	if g.module, err = wasmer.DeserializeModule(store, code); err != nil {
		return nil, fmt.Errorf("load the gate: %w", err)
	}
	none := wasmer.NewFunctionType(wasmer.NewValueTypes(), wasmer.NewValueTypes())
	g.dispatch = wasmer.NewFunction(store, none, func([]wasmer.Value) ([]wasmer.Value, error) {
		g.call()
		return nil, nil
	})
	host := wasmer.NewImportObject()
	host.Register("host", map[string]wasmer.IntoExtern{"dispatch": g.dispatch})
	if g.instance, err = wasmer.NewInstance(g.module, host); err != nil {
		return nil, fmt.Errorf("instantiate the gate: %w", err)
	}
	memory, err := g.instance.Exports.GetMemory("memory")
	if err != nil {
		return nil, fmt.Errorf("the gate's memory: %w", err)
	}
	g.mail = memory.Data() // its size is fixed, so it never moves
	for i, f := range met.Imports {
		export, err := g.instance.Exports.Get(gateExport(i))
		if err != nil {
			return nil, fmt.Errorf("the gate's %s.%s: %w", f.Module, f.Name, err)
		}
		g.imports.Register(f.Module, map[string]wasmer.IntoExtern{f.Name: export})
	}
	return g, nil
}

// bind finds the host function for each import, in the gate's order.
func (g *gate) bind(host []engine.HostFunction) ([]*engine.HostFunction, error) {
	return g.border.Bind(host)
}

// call is what every host call comes through.
func (g *gate) call() {
	g.word(mailStop, 0)
	number := binary.LittleEndian.Uint32(g.mail[mailFunction:])
	if g.active == nil || int(number) >= len(g.active.host) {
		g.word(mailStop, 1)
		return
	}
	f := g.active.host[number]
	stack := g.active.stack[:max(len(f.Params), len(f.Results))]
	for i := range f.Params {
		stack[i] = binary.LittleEndian.Uint64(g.mail[mailStack+8*i:])
	}
	if !g.run(f, stack) || f.Exits {
		g.active.stopped = true
		g.word(mailStop, 1)
		return
	}
	for i := range f.Results {
		binary.LittleEndian.PutUint64(g.mail[mailStack+8*i:], stack[i])
	}
}

// run calls f. A panic must not unwind through the engine's C frames: it ends
// the guest, and is reported as the sandbox's own fault.
func (g *gate) run(f *engine.HostFunction, stack []uint64) (ok bool) {
	active := g.active
	defer func() {
		if p := recover(); p != nil {
			active.fault = fmt.Errorf("host function %s.%s: panic: %v", f.Module, f.Name, p)
			ok = false
		}
	}()
	f.Call(active.ctx, &active.memory, stack)
	return true
}

func (g *gate) word(offset int, v uint32) {
	binary.LittleEndian.PutUint32(g.mail[offset:], v)
}

// enter makes i the instance whose host functions run, until leave.
func (g *gate) enter(ctx context.Context, i *Instance) {
	i.ctx, i.stopped, i.fault = ctx, false, nil
	g.active = i
}

func (g *gate) leave() {
	g.active.ctx = nil
	g.active = nil
}

func (g *gate) close() {
	g.mail = nil
	g.instance.Close()
	g.module.Close()
}

func gateExport(i int) string { return fmt.Sprintf("f%d", i) }
