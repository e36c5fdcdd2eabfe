// Package engine is the narrow waist between the sandbox process and a WASM
// engine. It keeps three things apart that cost very different amounts and
// happen in different processes: compiling a module (seconds, in a process that
// never runs a guest), loading compiled code (milliseconds), and instantiating
// it (a millisecond, once per call). Each engine is one folder below this one.
package engine

import "context"

// Engine compiles and loads modules. Its methods may be called from one
// goroutine at a time.
type Engine interface {
	// Name is what a policy calls the engine.
	Name() string
	// Compile turns a validated and rewritten module into native code in a form
	// that Load takes. A module that cannot be compiled gives a *ModuleError.
	Compile(module []byte) (artifact []byte, err error)
	// Load makes compiled code callable. The bytes must come from Compile of
	// the same build: engines run them as they are. The engine copies
	// what it keeps.
	Load(artifact []byte) (Module, error)
	// Close frees the engine; modules and instances must be closed before.
	Close()
}

// Module is compiled code, ready to be instantiated any number of times.
type Module interface {
	// Instantiate links the module to host functions and runs its start
	// function, if it has one. It does not call _initialize.
	Instantiate(host []HostFunction) (Instance, error)
	// Worn says that no more instances should be made in this process, since
	// the engine keeps something of each.
	Worn() bool
	Close()
}

// Instance is one linear memory with code. It serves one call at a time.
type Instance interface {
	// Call calls an exported function. Parameters and results are raw 64-bit
	// values: i32 zero-extended, floats as their bits. A guest that ends other
	// than by returning gives a *Trap. The context is handed to host functions;
	// an engine without interrupts does not end a running guest with it.
	Call(ctx context.Context, export string, params ...uint64) (results []uint64, err error)
	// Signature is the type of an exported function; ok is false when there is
	// no function of that name.
	Signature(export string) (params, results []ValueType, ok bool)
	// Memory is the exported linear memory.
	Memory() Memory
	Close()
}

// Windower is an Instance whose memory can have pages of a file in it. A WASM
// memory cannot name outside addresses, but what lies behind its own pages can be
// changed: the guest then reads what another process writes, without a copy.
type Windower interface {
	// Window puts n bytes of a file, from offset at of it, in the place of the
	// memory's own at offset. All four numbers are multiples of the page size, and
	// the place is inside of the memory as it is now. The guest can write to it only
	// if writable; a store into another window is an ordinary trap.
	Window(offset, n uint64, fd uintptr, at int64, writable bool) error
	// Restore puts memory of its own back, which is zero.
	Restore(offset, n uint64) error
}

// Memory is a guest's linear memory. Every access is checked against its size
// at that moment. The bytes belong to the guest: what is read twice may differ.
type Memory interface {
	// Size in bytes.
	Size() uint64
	// Maximum is what the size can grow to, in bytes.
	Maximum() uint64
	// Read copies n bytes at offset, or reports that they are out of bounds.
	Read(offset, n uint64) ([]byte, bool)
	// ReadInto copies len(b) bytes at offset to b, or reports that they are out of
	// bounds.
	ReadInto(offset uint64, b []byte) bool
	// Write copies b to offset, or reports that it does not fit.
	Write(offset uint64, b []byte) bool
}

// HostFunction is a function that the guest can import.
type HostFunction struct {
	Module, Name    string
	Params, Results []ValueType
	// Call gets the parameters in stack[:len(Params)] and leaves the results in
	// stack[:len(Results)]. It cannot fail: an error is a value that the guest
	// gets, never a trap (one engine frees such traps twice).
	Call func(ctx context.Context, memory Memory, stack []uint64)
	// Exits says that the guest must not go on after Call, as for proc_exit.
	// The instance's Call then returns a *Trap of kind TrapExited.
	Exits bool
}

// ValueType is a WASM value type, by its byte in the binary format.
type ValueType byte

// The value types that may cross the border. Host functions use the first two.
const (
	I32 ValueType = 0x7f
	I64 ValueType = 0x7e
	F32 ValueType = 0x7d
	F64 ValueType = 0x7c
)

// Trap is the end of a guest that did not return.
type Trap struct {
	Kind TrapKind
	// Message is the engine's, or the guest's; not yet bounded or escaped.
	Message string
}

func (t *Trap) Error() string { return t.Message }

// TrapKind is why a guest ended.
type TrapKind int

// The kinds of traps that a caller may want to tell apart.
const (
	TrapOther  TrapKind = iota
	TrapStack           // call stack exhausted
	TrapExited          // a host function with Exits was called
)

// ModuleError is a fault of the module, not of the engine.
type ModuleError struct{ Reason string }

func (e *ModuleError) Error() string { return e.Reason }
