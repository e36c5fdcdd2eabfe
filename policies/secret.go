package policies

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// maxSecretSize bounds a secret file; the largest sensible secret is a key.
const maxSecretSize = 64 << 10

// Secret is a named secret. It never prints: every fmt verb, JSON, text and
// slog give "[secret NAME]". Only Reveal gives the value.
//
// The value is held by a function, not by a field: fmt cannot call the methods
// of a value in an unexported field and prints its fields instead, and dumpers
// that go by reflection follow every pointer. Neither can look into a function.
type Secret struct {
	name string
	// read returns the value; nil in the zero Secret.
	read func() (string, error)
}

// Name is the label of the secret block.
func (s Secret) Name() string { return s.name }

// Reveal returns the value. A file secret is read now, so that a rotated file
// is picked up; one trailing line break is cut off. The error never has the
// value in it.
func (s Secret) Reveal() (string, error) {
	if s.read == nil {
		return "", fmt.Errorf("secret %q has no value", s.name)
	}
	value, err := s.read()
	if err != nil {
		return "", fmt.Errorf("secret %q is not available: %w", s.name, err)
	}
	if value == "" {
		return "", fmt.Errorf("secret %q is empty", s.name)
	}
	return value, nil
}

// Available reports whether Reveal would give a value now.
func (s Secret) Available() bool {
	_, err := s.Reveal()
	return err == nil
}

// String is "[secret NAME]", as are all other forms.
func (s Secret) String() string { return "[secret " + s.name + "]" }

// GoString keeps %#v from printing the fields.
func (s Secret) GoString() string { return s.String() }

// Format answers every verb and flag.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalJSON keeps a secret out of encoded structs.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// MarshalText does the same for map keys, XML and flags.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue does the same for slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

func valueSecret(name, value string) Secret {
	return Secret{name: name, read: func() (string, error) { return value, nil }}
}

func unavailableSecret(name, why string) Secret {
	return Secret{name: name, read: func() (string, error) { return "", fmt.Errorf("%s", why) }}
}

func fileSecret(name, path string) Secret {
	return Secret{name: name, read: func() (string, error) {
		text, err := readBounded(path, maxSecretSize)
		if err != nil {
			return "", err
		}
		return strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r"), nil
	}}
}
