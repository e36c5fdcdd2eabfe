package guesttest

import (
	"context"
	"errors"
	"fmt"

	"github.com/ringfence/ringfence/pluginkit/internal/abi"
	"github.com/ringfence/ringfence/pluginkit/internal/registry"
)

// ErrBadArguments is the kind of error for arguments that a tool did not take.
var ErrBadArguments = errors.New("bad arguments")

// Call runs the registered tool of that name on JSON arguments and returns its
// JSON result, or an error with the tool's own text.
func Call(tool, arguments string) ([]byte, error) {
	return CallContext(context.Background(), tool, arguments)
}

// CallContext is Call with the context that a tool of guest.ToolContext gets.
func CallContext(ctx context.Context, tool, arguments string) ([]byte, error) {
	for i, t := range registry.Tools() {
		if t.Name != tool {
			continue
		}
		return outcome(registry.Call(ctx, uint32(i), []byte(arguments)))
	}
	return nil, fmt.Errorf("there is no tool named %q", tool)
}

// outcome is what a status and its bytes mean to a host.
func outcome(status uint32, result []byte) ([]byte, error) {
	switch status {
	case abi.StatusOK:
		return result, nil
	case abi.StatusBad:
		return nil, fmt.Errorf("%w: %s", ErrBadArguments, result)
	}
	return nil, errors.New(string(result))
}

// Manifest is what the guest tells a host about its tools, as JSON.
func Manifest() []byte { return registry.Manifest() }
