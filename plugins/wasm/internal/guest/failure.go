package guest

import (
	"context"
	"errors"
	"fmt"

	"github.com/ringfence/ringfence/pluginkit"
	"github.com/ringfence/ringfence/pluginkit/wire"
	"github.com/ringfence/ringfence/plugins/wasm/internal/engine"
)

// Failure is a guest's end, or the end of a call, without a result. Its message
// is one line of printable UTF-8 within MaxFailure.
type Failure struct {
	Kind    wire.FailureKind
	Message string
}

func (f *Failure) Error() string { return f.Message }

func failuref(kind wire.FailureKind, format string, args ...any) *Failure {
	return &Failure{kind, escape(fmt.Sprintf(format, args...), pluginkit.MaxFailure)}
}

func abi(format string, args ...any) *Failure {
	return failuref(wire.FailureKind_FAILURE_ABI, format, args...)
}

// atLimit says whether a guest's memory is as good as at its limit, and so what
// it died of may have been a refused memory.grow.
func (i *Instance) atLimit() bool {
	near := min(1<<20, i.memoryLimit/16)
	return i.engine != nil && i.engine.Memory().Size()+near > i.memoryLimit
}

// fail turns an error of the engine into what the host is told. It ends the
// instance: after a trap nothing in its memory can be relied on.
func (i *Instance) fail(ctx context.Context, err error) *Failure {
	i.dead = true
	i.log.flush()
	var failure *Failure
	var trap *engine.Trap
	switch {
	case errors.As(err, &failure):
		return failure
	case !errors.As(err, &trap):
		return FailureOf(err)
	case trap.Kind == engine.TrapStack:
		return failuref(wire.FailureKind_FAILURE_STACK, "the guest's call stack is exhausted")
	case ctx.Err() != nil:
		return failuref(wire.FailureKind_FAILURE_CANCELED, "the call was cancelled")
	case trap.Kind == engine.TrapExited:
		return i.exited()
	}
	return i.trapped(trap)
}

func (i *Instance) exited() *Failure {
	code, _ := i.system.Exited()
	words := i.words.String()
	switch {
	case i.words.outOfMemory():
		return failuref(wire.FailureKind_FAILURE_MEMORY, "%s (memory limit %d bytes, exit status %d)", words, i.memoryLimit, code)
	case words == "":
		return failuref(wire.FailureKind_FAILURE_EXIT, "the guest exited with status %d instead of returning", code)
	}
	return failuref(wire.FailureKind_FAILURE_EXIT, "%s (exit status %d)", words, code)
}

func (i *Instance) trapped(trap *engine.Trap) *Failure {
	kind := wire.FailureKind_FAILURE_TRAP
	what := "trap: " + trap.Message
	if i.atLimit() && trap.Message == "unreachable" {
		// How a guest gives up that was refused more memory.
		kind = wire.FailureKind_FAILURE_MEMORY
		what = fmt.Sprintf("the guest used up its memory limit of %d bytes (%s)", i.memoryLimit, what)
	}
	words := i.words.String()
	switch {
	case i.words.outOfMemory():
		kind = wire.FailureKind_FAILURE_MEMORY
		what = fmt.Sprintf("%s (memory limit %d bytes)", words, i.memoryLimit)
	case i.words.pinned: // a Go guest has said it all before it trapped
		what = words
	case words != "":
		what = words + " (" + what + ")"
	}
	return failuref(kind, "%s", what)
}

// FailureOf describes an error that no running guest raised.
func FailureOf(err error) *Failure {
	var module *engine.ModuleError
	if errors.As(err, &module) {
		return failuref(wire.FailureKind_FAILURE_MODULE, "the module %s", module.Reason)
	}
	return failuref(wire.FailureKind_FAILURE_INTERNAL, "%v", err)
}
