package guest

import (
	"errors"
	"strconv"

	"github.com/ringfence/ringfence/pluginkit/internal/abi"
	"github.com/ringfence/ringfence/pluginkit/internal/shape"
)

// Store is a set of values by keys that the host keeps for a plugin.
//
// A key is 1 to 256 bytes of printable UTF-8, a value at most 1 MiB; the policy
// bounds all of them together (state { size = "1MiB" }), with 64 bytes for each.
// Every change writes all of it to the host's disk, so it is for what a tool must
// remember, not for a log: a plugin that changes much and often gets ErrLimit.
//
// Errors are an *Error of one of the kinds ErrDenied, ErrNotFound, ErrExists,
// ErrChanged, ErrLimit, ErrMalformed (a key that is none), ErrTimeout, ErrHost.
type Store struct {
	host abi.Host // nil is the one in use
}

// State is what the policy lets this plugin keep between its calls: it outlives the
// instance, the sandbox and the host. Other calls of the plugin can change it at
// the same time; Update loses nothing of theirs.
var State Store

// Get returns the value of a key, or an error of the kind ErrNotFound.
func (s Store) Get(key string) ([]byte, error) {
	value, _, err := s.Read(key)
	return value, err
}

// Read is Get with the version of the value, for Replace.
func (s Store) Read(key string) (value []byte, version string, err error) {
	answer, value, err := s.do(stateRequest{operation: "get", key: key}, nil)
	if err != nil {
		return nil, "", err
	}
	e, err := answer.only("get", key)
	return value, e.version, err
}

// Set makes the value of a key.
func (s Store) Set(key string, value []byte) error {
	_, _, err := s.do(stateRequest{operation: "set", key: key}, value)
	return err
}

// Create is Set where there is no such key yet; else the error is ErrExists.
func (s Store) Create(key string, value []byte) error {
	_, _, err := s.do(stateRequest{operation: "set", key: key, absent: true}, value)
	return err
}

// Replace is Set where the value still is of that version; else the error is
// ErrChanged. It returns the new version.
func (s Store) Replace(key string, value []byte, version string) (string, error) {
	if version == "" {
		return "", &Error{Op: "state " + key, Text: "replace a value of no version", kind: ErrMalformed}
	}
	answer, _, err := s.do(stateRequest{operation: "set", key: key, version: version}, value)
	if err != nil {
		return "", err
	}
	e, err := answer.only("set", key)
	return e.version, err
}

// Delete removes a key, if it is there.
func (s Store) Delete(key string) error {
	_, _, err := s.do(stateRequest{operation: "delete", key: key}, nil)
	return err
}

// Keys lists the keys that begin with prefix, in their order.
func (s Store) Keys(prefix string) ([]string, error) {
	keys := []string{}
	for after := ""; ; {
		some, _, err := s.do(stateRequest{operation: "list", key: prefix, after: after}, nil)
		if err != nil {
			return keys, err
		}
		for _, e := range some.entries {
			keys = append(keys, e.name)
		}
		if !some.more || len(some.entries) == 0 {
			return keys, nil
		}
		after = keys[len(keys)-1]
	}
}

// Update has change make the new value of the old, and sets that unless somebody
// else has changed it meanwhile: then it begins anew, up to ten times. Of a key that
// is not there the old value is nil. An error of change ends it, and is returned as
// it is.
func (s Store) Update(key string, change func(old []byte) ([]byte, error)) error {
	for try := 0; ; try++ {
		old, version, err := s.Read(key)
		there := err == nil
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		value, err := change(old)
		if err != nil {
			return err
		}
		if there {
			_, err = s.Replace(key, value, version)
		} else {
			err = s.Create(key, value)
		}
		if !errors.Is(err, ErrChanged) && !errors.Is(err, ErrExists) || try == maxTries {
			return err
		}
	}
}

// stateRequest is what the import "state" takes.
type stateRequest struct {
	operation, key, after, version string
	absent                         bool
}

func (s Store) do(r stateRequest, value []byte) (*whole, []byte, error) {
	b := shape.AppendString([]byte(`{"operation":`), r.operation)
	b = shape.AppendString(append(b, `,"key":`...), r.key)
	b = shape.AppendString(append(b, `,"after":`...), r.after)
	b = shape.AppendString(append(b, `,"version":`...), r.version)
	b = append(strconv.AppendBool(append(b, `,"absent":`...), r.absent), '}')
	host := s.host
	if host == nil {
		host = abi.Current()
	}
	return take(host, "state "+r.key, host.State(b, value))
}
