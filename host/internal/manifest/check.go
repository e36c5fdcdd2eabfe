package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/ringfence/ringfence/host/internal/jsonscan"
	"github.com/ringfence/ringfence/host/internal/printable"
)

// maxDecoded is how many bytes of JSON are decoded to be checked. What a schema
// leaves open is not decoded and does not count, so a jq program's input may be
// far larger.
const maxDecoded = 16 << 20

var (
	errNotJSON = errors.New("not valid JSON")
	errNotUTF8 = errors.New("not valid JSON: it is not UTF-8")

	errTooStrict = fmt.Errorf("more than %d bytes where the schema is strict", maxDecoded)
)

// Valid reports whether bytes are JSON in UTF-8.
func Valid(raw []byte) error { return valid(raw) }

// valid wants UTF-8 too, which json.Valid does not: readers differ in what they
// make of other bytes, and a terminal may take 0x9b for an escape sequence.
func valid(raw []byte) error {
	if !jsonscan.Valid(raw) {
		return errNotJSON
	}
	if !utf8.Valid(raw) {
		return errNotUTF8
	}
	return nil
}

// check validates raw JSON against the schema.
func (s *schema) check(raw []byte) error {
	if err := valid(raw); err != nil {
		return err
	}
	if s.shape.kind == open || s.shape.kind == anyObject && first(raw) == '{' {
		return nil // there is nothing that the validator could complain about
	}
	budget := maxDecoded
	instance, err := s.shape.decode(raw, &budget)
	if err != nil {
		return err
	}
	var size size
	instance = size.add(instance)
	if err := s.affords(size); err != nil {
		return err
	}
	if err := s.resolved.Validate(instance); err != nil {
		text := explain(s.resolved.Schema(), instance, "")
		if text == "" {
			text = innermost(err)
		}
		return errors.New(printable.Line(text, 512))
	}
	return nil
}

// innermost drops the validator's own trail ("validating root: validating
// /properties/x: …") down to the last place and what is wrong there.
func innermost(err error) string {
	const trail = "validating "
	// The validator prints a JSON null as reflect does.
	text := bytes.ReplaceAll([]byte(err.Error()), []byte("<invalid reflect.Value>"), []byte("null"))
	var place []byte
	for bytes.HasPrefix(text, []byte(trail)) {
		head, rest, ok := bytes.Cut(text[len(trail):], []byte(": "))
		if !ok {
			break
		}
		place, text = head, rest
	}
	if len(place) == 0 || string(place) == "root" {
		return string(text)
	}
	return fmt.Sprintf("%s: %s", place, text)
}

// shape says how much of a value must be decoded to check it.
type shape struct {
	kind       shapeKind
	properties map[string]shape
	items      *shape
}

type shapeKind int

const (
	whole     shapeKind = iota // decode it all
	open                       // anything goes: decode nothing
	object                     // look at the properties one by one
	anyObject                  // an object, whatever is in it: decode nothing
	array                      // look at the elements one by one
)

// shapeOf finds the parts that a schema leaves open. A schema with any keyword
// that is not understood here is decoded whole.
func shapeOf(s *jsonschema.Schema) shape {
	if s == nil || isOpen(s) {
		return shape{kind: open}
	}
	rest := *s.CloneSchemas()
	forgetAnnotations(&rest)
	typ := rest.Type
	rest.Type = ""
	switch typ {
	case "object":
		sh := shape{kind: object, properties: make(map[string]shape)}
		for name, p := range rest.Properties {
			sh.properties[name] = shapeOf(p)
		}
		named := len(rest.Properties) + len(rest.Required)
		rest.Properties, rest.Required, rest.PropertyOrder = nil, nil, nil
		if extra := rest.AdditionalProperties; extra != nil && (isOpen(extra) || isNever(extra)) {
			rest.AdditionalProperties = nil
		}
		if isOpen(&rest) {
			if extra := s.AdditionalProperties; named == 0 && (extra == nil || !isNever(extra)) {
				return shape{kind: anyObject}
			}
			return sh
		}
	case "array":
		items := shapeOf(rest.Items)
		rest.Items = nil
		if isOpen(&rest) {
			return shape{kind: array, items: &items}
		}
	}
	return shape{kind: whole}
}

func isOpen(s *jsonschema.Schema) bool {
	c := *s.CloneSchemas()
	forgetAnnotations(&c)
	b, err := json.Marshal(&c)
	return err == nil && (string(b) == "true" || string(b) == "{}")
}

func isNever(s *jsonschema.Schema) bool {
	b, err := json.Marshal(s)
	return err == nil && slices.Contains([]string{"false", `{"not":{}}`, `{"not":true}`}, string(b))
}

func forgetAnnotations(s *jsonschema.Schema) {
	s.Title, s.Description, s.Comment, s.Schema = "", "", "", ""
	s.Default, s.Examples, s.Deprecated, s.ReadOnly, s.WriteOnly = nil, nil, false, false, false
}

// decode turns valid JSON into what the validator wants, leaving a null where
// the schema allows anything.
func (sh shape) decode(raw json.RawMessage, budget *int) (any, error) {
	switch {
	case sh.kind == open:
		return nil, nil
	case sh.kind == anyObject && first(raw) == '{':
		return map[string]any{}, nil
	case sh.kind == object && first(raw) == '{':
		return sh.decodeObject(raw, budget)
	case sh.kind == array && first(raw) == '[' && sh.items.kind == open:
		return []any{}, nil
	case sh.kind == array && first(raw) == '[':
		return sh.decodeArray(raw, budget)
	}
	if *budget -= len(raw); *budget < 0 {
		return nil, errTooStrict
	}
	var v any
	err := json.Unmarshal(raw, &v)
	return v, err
}

func (sh shape) decodeObject(raw json.RawMessage, budget *int) (any, error) {
	if *budget -= 16 * members(raw); *budget < 0 {
		return nil, errTooStrict
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return nil, err
	}
	decoded := make(map[string]any, len(fields))
	for name, field := range fields {
		if *budget -= len(name); *budget < 0 {
			return nil, errTooStrict
		}
		p, ok := sh.properties[name]
		if !ok {
			decoded[name] = nil // open, or forbidden by its name alone
			continue
		}
		v, err := p.decode(field, budget)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", printable.Line(name, 80), err)
		}
		decoded[name] = v
	}
	return decoded, nil
}

func (sh shape) decodeArray(raw json.RawMessage, budget *int) (any, error) {
	if *budget -= 4 * members(raw); *budget < 0 {
		return nil, errTooStrict
	}
	var elements []json.RawMessage
	if err := json.Unmarshal(raw, &elements); err != nil {
		return nil, err
	}
	decoded := make([]any, len(elements))
	for i, e := range elements {
		v, err := sh.items.decode(e, budget)
		if err != nil {
			return nil, fmt.Errorf("%d: %w", i, err)
		}
		decoded[i] = v
	}
	return decoded, nil
}

// members counts the members of valid JSON at its top, at most one too many,
// before they are decoded: each takes the host a hundred bytes, and the guest two.
func members(raw json.RawMessage) int {
	n := 1
	for c, depth := range jsonscan.Structure(raw) {
		if c == ',' && depth == 1 {
			n++
		}
	}
	return n
}

func first(raw json.RawMessage) byte {
	if raw = bytes.TrimLeft(raw, " \t\r\n"); len(raw) > 0 {
		return raw[0]
	}
	return 0
}
