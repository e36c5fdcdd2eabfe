package wasmer

import (
	"strings"

	"github.com/ringfence/ringfence/plugins/wasm/internal/engine"
)

// classify turns the binding's error into ours. The engine says only in words
// why a guest trapped, so the words are matched.
func (i *Instance) classify(err error) error {
	if i.fault != nil {
		return i.fault
	}
	message := strings.TrimPrefix(err.Error(), "RuntimeError: ")
	switch {
	case i.stopped:
		return &engine.Trap{Kind: engine.TrapExited, Message: "exited"}
	case strings.Contains(message, "call stack exhausted"):
		return &engine.Trap{Kind: engine.TrapStack, Message: message}
	}
	return &engine.Trap{Kind: engine.TrapOther, Message: message}
}
