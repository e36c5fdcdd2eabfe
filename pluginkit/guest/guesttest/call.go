package guesttest

import (
	"errors"
	"fmt"

	"github.com/ringfence/ringfence/pluginkit/guest/internal/abi"
	"github.com/ringfence/ringfence/pluginkit/guest/internal/registry"
)

// ErrBadArguments is the kind of error for arguments that a tool did not take.
var ErrBadArguments = errors.New("bad arguments")

// Call runs the registered tool of that name on JSON arguments and returns its
// JSON result, or an error with the tool's own text.
func Call(tool, arguments string) ([]byte, error) {
	for i, t := range registry.Tools() {
		if t.Name != tool {
			continue
		}
		status, result := registry.Call(uint32(i), []byte(arguments), nil)
		switch status {
		case abi.StatusOK:
			return result, nil
		case abi.StatusBad:
			return nil, fmt.Errorf("%w: %s", ErrBadArguments, result)
		}
		return nil, errors.New(string(result))
	}
	return nil, fmt.Errorf("there is no tool named %q", tool)
}

// Manifest is what the guest tells a host about its tools, as JSON.
func Manifest() []byte { return registry.Manifest() }
