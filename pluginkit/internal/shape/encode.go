package shape

import (
	"encoding/base64"
	"math"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"unicode/utf8"
)

// Append writes v as JSON after b. v must be of the described type.
func (s *Shape) Append(b []byte, v reflect.Value) ([]byte, error) {
	switch s.form {
	case formAny:
		return appendAny(b, v)
	case formBool:
		return strconv.AppendBool(b, v.Bool()), nil
	case formInt:
		return strconv.AppendInt(b, v.Int(), 10), nil
	case formUint:
		return strconv.AppendUint(b, v.Uint(), 10), nil
	case formFloat:
		return appendFloat(b, v.Float(), s.typ.Bits())
	case formNumber:
		return appendNumber(b, v.String())
	case formString:
		return appendString(b, v.String()), nil
	case formBytes:
		return append(base64.StdEncoding.AppendEncode(append(b, '"'), v.Bytes()), '"'), nil
	case formText:
		text, err := addressable(v).Interface().(textMarshaler).MarshalText()
		if err != nil {
			return nil, problem(err.Error())
		}
		return appendString(b, string(text)), nil
	case formRaw:
		return appendRaw(b, v.Bytes())
	case formJSON:
		raw, err := addressable(v).Interface().(jsonMarshaler).MarshalJSON()
		if err != nil {
			return nil, problem(err.Error())
		}
		return appendRaw(b, raw)
	case formSlice, formArray:
		return s.appendArray(b, v)
	case formMap:
		return s.appendMap(b, v)
	case formStruct:
		return s.appendStruct(b, v)
	default: // formPointer
		if v.IsNil() {
			return nil, problem("a nil " + s.typ.String() + " has no value to write")
		}
		return s.elem.Append(b, v.Elem())
	}
}

// addressable returns a pointer to v, or to a copy: the methods of a type may
// have pointer receivers.
func addressable(v reflect.Value) reflect.Value {
	if v.CanAddr() {
		return v.Addr()
	}
	to := reflect.New(v.Type())
	to.Elem().Set(v)
	return to
}

// appendRaw passes checked JSON text through.
func appendRaw(b, raw []byte) ([]byte, error) {
	if len(raw) == 0 {
		return append(b, "null"...), nil
	}
	r := &reader{data: raw}
	value, err := r.skip()
	if err == nil {
		err = r.end()
	}
	if err != nil {
		return nil, err
	}
	return append(b, value...), nil
}

func appendNumber(b []byte, text string) ([]byte, error) {
	r := &reader{data: []byte(text)}
	if _, err := r.number(); err != nil || r.at != len(text) {
		return nil, problem(strconv.Quote(text) + " is not a number")
	}
	return append(b, text...), nil
}

// appendFloat writes numbers as encoding/json and JavaScript do.
func appendFloat(b []byte, f float64, bits int) ([]byte, error) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, problem("JSON has no number " + strconv.FormatFloat(f, 'g', -1, bits))
	}
	if size := math.Abs(f); size == 0 || size >= 1e-6 && size < 1e21 {
		return strconv.AppendFloat(b, f, 'f', -1, bits), nil
	}
	b = strconv.AppendFloat(b, f, 'e', -1, bits)
	if n := len(b); b[n-4] == 'e' && b[n-3] == '-' && b[n-2] == '0' {
		b[n-2] = b[n-1] // e-09 is written e-9
		b = b[:n-1]
	}
	return b, nil
}

func (s *Shape) appendArray(b []byte, v reflect.Value) ([]byte, error) {
	b = append(b, '[')
	var err error
	for i := range v.Len() {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = s.elem.Append(b, v.Index(i)); err != nil {
			return nil, under("["+strconv.Itoa(i)+"]", err)
		}
	}
	return append(b, ']'), nil
}

// appendMap writes the keys in order, so that equal results have equal bytes.
func (s *Shape) appendMap(b []byte, v reflect.Value) ([]byte, error) {
	keys := v.MapKeys()
	slices.SortFunc(keys, func(x, y reflect.Value) int {
		switch x, y := x.String(), y.String(); {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	b = append(b, '{')
	var err error
	for i, key := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, key.String()), ':')
		if b, err = s.elem.Append(b, v.MapIndex(key)); err != nil {
			return nil, under("["+strconv.Quote(key.String())+"]", err)
		}
	}
	return append(b, '}'), nil
}

func (s *Shape) appendStruct(b []byte, v reflect.Value) ([]byte, error) {
	b = append(b, '{')
	var err error
	first := true
	for i := range s.fields {
		f := &s.fields[i]
		value := v.FieldByIndex(f.index)
		if f.leftOut(value) {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(appendString(b, f.name), ':')
		if b, err = f.shape.Append(b, value); err != nil {
			return nil, under(f.name, err)
		}
	}
	return append(b, '}'), nil
}

func (f *field) leftOut(v reflect.Value) bool {
	if f.omitZero {
		if z, ok := v.Interface().(interface{ IsZero() bool }); ok && v.Kind() != reflect.Pointer {
			return z.IsZero()
		}
		return v.IsZero()
	}
	switch v.Kind() {
	case reflect.Pointer:
		return v.IsNil()
	case reflect.Slice, reflect.Map, reflect.String, reflect.Array:
		return f.omitEmpty && v.Len() == 0
	case reflect.Struct:
		return false
	}
	return f.omitEmpty && v.IsZero()
}

// appendAny writes what an interface holds.
func appendAny(b []byte, v reflect.Value) ([]byte, error) {
	if v.IsNil() {
		return append(b, "null"...), nil
	}
	v = v.Elem()
	s, known := dynamic.Load(v.Type())
	if !known {
		compiled, err := For(v.Type(), Output)
		if err != nil {
			return nil, problem(err.Error())
		}
		s, _ = dynamic.LoadOrStore(v.Type(), compiled)
	}
	return s.(*Shape).Append(b, v)
}

// dynamic holds the shapes of types met inside interfaces, which For cannot see.
var dynamic sync.Map // reflect.Type to *Shape

const hexDigits = "0123456789abcdef"

// appendString writes a JSON string. Bytes that are no UTF-8 become U+FFFD.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				b = append(append(b, s[start:i]...), "\ufffd"...)
				start = i + 1
			}
			i += size
			continue
		}
		if c >= ' ' && c != '"' && c != '\\' {
			i++
			continue
		}
		b = append(b, s[start:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		start = i
	}
	return append(append(b, s[start:]...), '"')
}

// AppendString writes s as a JSON string after b.
func AppendString(b []byte, s string) []byte { return appendString(b, s) }

// Encode writes v as JSON. A json.RawMessage is returned as it is, without
// copying or checking it: the host checks every result.
func (s *Shape) Encode(v reflect.Value) ([]byte, error) {
	if s.form == formRaw && v.Len() > 0 {
		return v.Bytes(), nil
	}
	return s.Append(nil, v)
}
