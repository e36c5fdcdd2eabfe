package guest

import (
	"errors"
	"strconv"

	"github.com/ringfence/ringfence/pluginkit/internal/registry"
	"github.com/ringfence/ringfence/pluginkit/internal/shape"
)

// Option says something about a tool beside its name and types.
//
// What an option says of a tool's effects is a hint: a client shows it to a
// person, or asks before it calls. Nothing enforces it, a policy can overrule
// it, and without a word clients expect the worst.
type Option func(*registry.Tool) error

// Title is a name for people, at most 256 bytes.
func Title(title string) Option {
	return func(t *registry.Tool) error {
		if n := len(title); n == 0 || n > 256 {
			return errors.New("a title of " + strconv.Itoa(n) + " bytes (1 to 256 are allowed)")
		}
		t.Title = title
		return nil
	}
}

// ReadOnly says that the tool changes nothing.
func ReadOnly() Option {
	return hint(func(h *registry.Hints) { h.ReadOnly, h.Destructive = registry.Yes, registry.Unsaid })
}

// Additive says that the tool only adds to what is there.
func Additive() Option {
	return hint(func(h *registry.Hints) { h.ReadOnly, h.Destructive = registry.No, registry.No })
}

// Destructive says that what was there may be lost.
func Destructive() Option {
	return hint(func(h *registry.Hints) { h.ReadOnly, h.Destructive = registry.No, registry.Yes })
}

// Idempotent says that calling twice has the effect of calling once.
func Idempotent() Option { return hint(func(h *registry.Hints) { h.Idempotent = registry.Yes }) }

// ClosedWorld says that the tool deals only with its arguments and with what is
// its own: no websites, no other services.
func ClosedWorld() Option { return hint(func(h *registry.Hints) { h.OpenWorld = registry.No }) }

// OpenWorld says that the tool deals with things that others can change.
func OpenWorld() Option { return hint(func(h *registry.Hints) { h.OpenWorld = registry.Yes }) }

func hint(set func(*registry.Hints)) Option {
	return func(t *registry.Tool) error { set(&t.Hints); return nil }
}

// InputSchema is the JSON schema of a tool that takes json.RawMessage. The host
// checks arguments against it before the tool runs.
func InputSchema(schema string) Option {
	return func(t *registry.Tool) error {
		value, err := shape.Any([]byte(schema))
		if err != nil {
			return errors.New("InputSchema: " + err.Error())
		}
		if _, ok := value.(map[string]any); !ok {
			return errors.New("InputSchema is not a JSON object")
		}
		t.Input = []byte(schema)
		return nil
	}
}
