package shape

import (
	"errors"
	"reflect"
	"strings"
)

// Direction says whether values of a type come in as arguments or go out as results.
type Direction int

const (
	// Input types are decoded.
	Input Direction = iota
	// Output types are encoded.
	Output
	// Answer types are decoded from what another tool answered: fields that they
	// do not have are passed over.
	Answer
)

// form is how a Go type appears in JSON.
type form uint8

const (
	formAny     form = iota // any JSON value
	formBool                // true or false
	formInt                 // a signed integer
	formUint                // an unsigned integer
	formFloat               // a number
	formNumber              // a number, kept as text (json.Number)
	formString              // a string
	formBytes               // base64 in a string
	formText                // a string that the type reads and writes itself
	formRaw                 // JSON text, passed through (json.RawMessage)
	formJSON                // JSON that the type reads and writes itself
	formSlice               // an array
	formArray               // an array of fixed length
	formMap                 // an object with free keys
	formStruct              // an object with known fields
	formPointer             // whatever it points to
)

// Shape describes one Go type. It is immutable after For.
type Shape struct {
	form   form
	typ    reflect.Type
	elem   *Shape         // of slices, arrays, maps and pointers
	fields []field        // of structs
	byName map[string]int // JSON name to index in fields
	passes bool           // unknown fields of structs are passed over
}

// Raw is what json.RawMessage is, for those that cannot afford encoding/json.
type Raw []byte

var rawType = reflect.TypeFor[Raw]()

// Methods that take over a type's JSON. They are those of encoding/json and
// encoding, spelled out so that the packages need not be linked.
type (
	jsonMarshaler   interface{ MarshalJSON() ([]byte, error) }
	jsonUnmarshaler interface{ UnmarshalJSON([]byte) error }
	textMarshaler   interface{ MarshalText() ([]byte, error) }
	textUnmarshaler interface{ UnmarshalText([]byte) error }
)

var (
	jsonMarshalerType   = reflect.TypeFor[jsonMarshaler]()
	jsonUnmarshalerType = reflect.TypeFor[jsonUnmarshaler]()
	textMarshalerType   = reflect.TypeFor[textMarshaler]()
	textUnmarshalerType = reflect.TypeFor[textUnmarshaler]()
)

// For describes t, or says which part of it has no JSON form.
func For(t reflect.Type, direction Direction) (*Shape, error) {
	c := compiler{direction: direction}
	return c.compile(t)
}

// IsObject reports whether every value is a JSON object.
func (s *Shape) IsObject() bool {
	switch s.form {
	case formStruct, formMap:
		return true
	case formPointer:
		return s.elem.IsObject()
	}
	return false
}

// IsAny reports whether the schema allows every JSON value.
func (s *Shape) IsAny() bool {
	return s.form == formAny || s.form == formRaw || s.form == formJSON && !s.isTime()
}

func (s *Shape) isTime() bool { return s.typ.PkgPath() == "time" && s.typ.Name() == "Time" }

// compiler holds the way from the outermost type to the one being looked at.
type compiler struct {
	direction Direction
	path      []string       // for error messages
	open      []reflect.Type // struct types on the way, to find recursion
}

func (c *compiler) fail(why string) error {
	if len(c.path) == 0 {
		return errors.New(why)
	}
	return errors.New(joinPath(c.path) + ": " + why)
}

// special recognises types whose JSON is not that of their kind.
func (c *compiler) special(t reflect.Type) (form, bool) {
	if t == rawType {
		return formRaw, true
	}
	if strings.HasPrefix(t.PkgPath(), "encoding/json") {
		switch {
		case t.Kind() == reflect.String && t.Name() == "Number":
			return formNumber, true
		case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8:
			return formRaw, true
		}
	}
	asJSON, asText := jsonUnmarshalerType, textUnmarshalerType
	if c.direction == Output {
		asJSON, asText = jsonMarshalerType, textMarshalerType
	}
	switch pointer := reflect.PointerTo(t); {
	case t.Kind() == reflect.Pointer || t.Kind() == reflect.Interface:
		return 0, false
	case pointer.Implements(asJSON):
		return formJSON, true
	case pointer.Implements(asText):
		return formText, true
	}
	return 0, false
}

func (c *compiler) compile(t reflect.Type) (*Shape, error) {
	s := &Shape{typ: t}
	if f, ok := c.special(t); ok {
		s.form = f
		return s, nil
	}
	switch t.Kind() {
	case reflect.Bool:
		s.form = formBool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		s.form = formInt
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		s.form = formUint
	case reflect.Float32, reflect.Float64:
		s.form = formFloat
	case reflect.String:
		s.form = formString
	case reflect.Interface:
		if t.NumMethod() != 0 {
			return nil, c.fail("the interface " + t.String() + " has no JSON form; use a concrete type or any")
		}
		s.form = formAny
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			s.form = formBytes
			return s, nil
		}
		return c.compileElem(s, formSlice, "[]")
	case reflect.Array:
		return c.compileElem(s, formArray, "[]")
	case reflect.Map:
		if t.Key().Kind() != reflect.String {
			return nil, c.fail("the key type " + t.Key().String() + " is not a string, as JSON demands")
		}
		return c.compileElem(s, formMap, "[]")
	case reflect.Pointer:
		return c.compileElem(s, formPointer, "")
	case reflect.Struct:
		return c.compileStruct(s)
	default:
		return nil, c.fail("the type " + t.String() + " has no JSON form")
	}
	return s, nil
}

func (c *compiler) compileElem(s *Shape, f form, step string) (*Shape, error) {
	if step != "" {
		c.path = append(c.path, step)
		defer func() { c.path = c.path[:len(c.path)-1] }()
	}
	// A named slice, map or pointer can contain itself without a struct.
	if s.typ.Name() != "" {
		if err := c.enter(s.typ); err != nil {
			return nil, err
		}
		defer c.leave()
	}
	elem, err := c.compile(s.typ.Elem())
	if err != nil {
		return nil, err
	}
	s.form, s.elem = f, elem
	return s, nil
}

func (c *compiler) enter(t reflect.Type) error {
	for _, outer := range c.open {
		if outer == t {
			return c.fail("the type " + t.String() + " contains itself; use json.RawMessage or any for the inner value")
		}
	}
	c.open = append(c.open, t)
	return nil
}

func (c *compiler) leave() { c.open = c.open[:len(c.open)-1] }
