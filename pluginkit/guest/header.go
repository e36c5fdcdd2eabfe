package guest

import (
	"maps"
	"slices"

	"github.com/ringfence/ringfence/pluginkit/internal/shape"
)

// Header holds HTTP header fields by their canonical name (Content-Type). It
// converts to and from http.Header.
type Header map[string][]string

// Get returns the first value of a field, or "". The case of key does not matter.
func (h Header) Get(key string) string {
	if values := h[canonical(key)]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// Values returns all values of a field.
func (h Header) Values(key string) []string { return h[canonical(key)] }

// Set replaces all values of a field.
func (h Header) Set(key, value string) { h[canonical(key)] = []string{value} }

// Add appends a value to a field.
func (h Header) Add(key, value string) {
	key = canonical(key)
	h[key] = append(h[key], value)
}

// Del removes a field.
func (h Header) Del(key string) { delete(h, canonical(key)) }

// canonical writes a field name as X-Request-Id.
func canonical(key string) string {
	name := []byte(key)
	upper := true
	for i, c := range name {
		switch {
		case upper && c >= 'a' && c <= 'z':
			name[i] = c - 'a' + 'A'
		case !upper && c >= 'A' && c <= 'Z':
			name[i] = c - 'A' + 'a'
		}
		upper = c == '-'
	}
	return string(name)
}

// appendJSON writes the fields as an array of pairs, in order of their names.
func (h Header) appendJSON(b []byte) []byte {
	b = append(b, '[')
	for _, key := range slices.Sorted(maps.Keys(h)) {
		for _, value := range h[key] {
			if b[len(b)-1] != '[' {
				b = append(b, ',')
			}
			b = shape.AppendString(append(b, '['), key)
			b = shape.AppendString(append(b, ','), value)
			b = append(b, ']')
		}
	}
	return append(b, ']')
}
