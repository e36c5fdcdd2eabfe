package shape

import (
	"encoding/base64"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Decode reads one JSON value into v, which must be settable and of the
// described type. Raw values (json.RawMessage) are not copied: they are parts
// of data. Everything else is.
func (s *Shape) Decode(data []byte, v reflect.Value) error {
	r := &reader{data: data}
	if err := s.decode(r, v); err != nil {
		return err
	}
	return r.end()
}

func (s *Shape) decode(r *reader, v reflect.Value) error {
	switch s.form {
	case formAny:
		value, err := r.any()
		if err == nil && value != nil {
			v.Set(reflect.ValueOf(value))
		}
		return err
	case formBool:
		return s.decodeBool(r, v)
	case formInt, formUint:
		return s.decodeInteger(r, v)
	case formFloat, formNumber:
		return s.decodeNumber(r, v)
	case formString, formBytes, formText:
		return s.decodeString(r, v)
	case formRaw:
		raw, err := r.skip()
		if err == nil {
			v.SetBytes(raw[:len(raw):len(raw)])
		}
		return err
	case formJSON:
		raw, err := r.skip()
		if err != nil {
			return err
		}
		if err := v.Addr().Interface().(jsonUnmarshaler).UnmarshalJSON(raw); err != nil {
			return problem(err.Error())
		}
		return nil
	case formSlice, formArray:
		return s.decodeArray(r, v)
	case formMap:
		return s.decodeMap(r, v)
	case formStruct:
		return s.decodeStruct(r, v)
	default: // formPointer
		to := reflect.New(s.typ.Elem())
		if err := s.elem.decode(r, to.Elem()); err != nil {
			return err
		}
		v.Set(to)
		return nil
	}
}

func (s *Shape) decodeBool(r *reader, v reflect.Value) error {
	switch r.peek() {
	case 't':
		v.SetBool(true)
		return r.literal("true")
	case 'f':
		return r.literal("false")
	}
	return r.mismatch("true or false")
}

func isNumber(c byte) bool { return c == '-' || c >= '0' && c <= '9' }

// decodeInteger also takes 3.0 and 3e2, which are integers to JSON Schema.
func (s *Shape) decodeInteger(r *reader, v reflect.Value) error {
	if !isNumber(r.peek()) {
		return r.mismatch("an integer")
	}
	text, err := r.number()
	if err != nil {
		return err
	}
	var fits bool
	if s.form == formInt {
		n, err := strconv.ParseInt(string(text), 10, 64)
		if err != nil {
			f, _ := strconv.ParseFloat(string(text), 64)
			n = int64(f)
			fits = f == math.Trunc(f) && math.Abs(f) <= 1<<53
		} else {
			fits = true
		}
		if fits = fits && !v.OverflowInt(n); fits {
			v.SetInt(n)
		}
	} else {
		n, err := strconv.ParseUint(string(text), 10, 64)
		if err != nil {
			f, _ := strconv.ParseFloat(string(text), 64)
			n = uint64(max(f, 0))
			fits = f == math.Trunc(f) && f >= 0 && f <= 1<<53
		} else {
			fits = true
		}
		if fits = fits && !v.OverflowUint(n); fits {
			v.SetUint(n)
		}
	}
	if !fits {
		return problem("expected " + s.integerRange() + ", got " + string(text))
	}
	return nil
}

func (s *Shape) integerRange() string {
	bits := s.typ.Bits()
	if s.form == formUint {
		return "an integer from 0 to " + strconv.FormatUint(math.MaxUint64>>(64-bits), 10)
	}
	return "an integer from " + strconv.FormatInt(math.MinInt64>>(64-bits), 10) +
		" to " + strconv.FormatInt(math.MaxInt64>>(64-bits), 10)
}

func (s *Shape) decodeNumber(r *reader, v reflect.Value) error {
	if !isNumber(r.peek()) {
		return r.mismatch("a number")
	}
	text, err := r.number()
	if err != nil {
		return err
	}
	if s.form == formNumber {
		v.SetString(string(text))
		return nil
	}
	f, err := strconv.ParseFloat(string(text), s.typ.Bits())
	if err != nil {
		return problem("the number " + string(text) + " is too large")
	}
	v.SetFloat(f)
	return nil
}

func (s *Shape) decodeString(r *reader, v reflect.Value) error {
	if err := r.expect('"', "a string"); err != nil {
		return err
	}
	text, err := r.text()
	if err != nil {
		return err
	}
	switch s.form {
	case formBytes:
		decoded, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return problem("expected base64: " + err.Error())
		}
		v.SetBytes(decoded)
	case formText:
		if err := v.Addr().Interface().(textUnmarshaler).UnmarshalText([]byte(text)); err != nil {
			return problem(err.Error())
		}
	default:
		v.SetString(text)
	}
	return nil
}

func (s *Shape) decodeArray(r *reader, v reflect.Value) error {
	if err := r.expect('[', "an array"); err != nil {
		return err
	}
	r.at++
	if err := r.enter(); err != nil {
		return err
	}
	if s.form == formSlice {
		v.Set(reflect.MakeSlice(s.typ, 0, 0))
	}
	n := 0
	for ; ; n++ {
		more, err := r.next(n == 0, ']')
		if err != nil {
			return err
		}
		if !more {
			break
		}
		if s.form == formArray && n == v.Len() {
			return problem("expected " + strconv.Itoa(v.Len()) + " elements, got more")
		}
		if s.form == formSlice {
			if n == v.Cap() {
				v.Grow(1)
			}
			v.SetLen(n + 1)
		}
		if err := s.elem.decode(r, v.Index(n)); err != nil {
			return under("["+strconv.Itoa(n)+"]", err)
		}
	}
	if s.form == formArray && n < v.Len() {
		return problem("expected " + strconv.Itoa(v.Len()) + " elements, got " + strconv.Itoa(n))
	}
	return nil
}

func (s *Shape) decodeMap(r *reader, v reflect.Value) error {
	if err := r.expect('{', "an object"); err != nil {
		return err
	}
	r.at++
	if err := r.enter(); err != nil {
		return err
	}
	v.Set(reflect.MakeMap(s.typ))
	for first := true; ; first = false {
		more, err := r.next(first, '}')
		if !more {
			return err
		}
		name, err := r.key()
		if err != nil {
			return err
		}
		key := reflect.ValueOf(name).Convert(s.typ.Key())
		if v.MapIndex(key).IsValid() {
			return problem("the key " + strconv.Quote(name) + " is given twice")
		}
		value := reflect.New(s.typ.Elem()).Elem()
		if err := s.elem.decode(r, value); err != nil {
			return under("["+strconv.Quote(name)+"]", err)
		}
		v.SetMapIndex(key, value)
	}
}

func (s *Shape) decodeStruct(r *reader, v reflect.Value) error {
	if err := r.expect('{', "an object"); err != nil {
		return err
	}
	r.at++
	if err := r.enter(); err != nil {
		return err
	}
	given := make([]bool, len(s.fields))
	for first := true; ; first = false {
		more, err := r.next(first, '}')
		if err != nil {
			return err
		}
		if !more {
			return s.finish(v, given)
		}
		name, err := r.key()
		if err != nil {
			return err
		}
		i, known := s.byName[name]
		if !known && s.passes {
			if _, err := r.skip(); err != nil {
				return err
			}
			continue
		}
		if !known {
			return problem("unknown field " + strconv.Quote(name) + "; the fields are " + s.names())
		}
		if given[i] {
			return problem("the field " + strconv.Quote(name) + " is given twice")
		}
		given[i] = true
		f := &s.fields[i]
		if err := f.decode(r, v.FieldByIndex(f.index)); err != nil {
			return under(name, err)
		}
	}
}

// finish fills in the defaults and misses what is required.
func (s *Shape) finish(v reflect.Value, given []bool) error {
	for i := range s.fields {
		f := &s.fields[i]
		switch {
		case given[i]:
		case f.required:
			return problem("the field " + strconv.Quote(f.name) + " is missing")
		case f.standard != nil:
			if err := f.shape.decode(&reader{data: f.standard}, v.FieldByIndex(f.index)); err != nil {
				return under(f.name, err)
			}
		}
	}
	return nil
}

func (s *Shape) names() string {
	if len(s.fields) == 0 {
		return "none"
	}
	names := make([]string, len(s.fields))
	for i, f := range s.fields {
		names[i] = f.name
	}
	return strings.Join(names, ", ")
}

// decode reads the field's value and holds it against the limits of its tags.
func (f *field) decode(r *reader, v reflect.Value) error {
	if err := f.shape.decode(r, v); err != nil {
		return err
	}
	if f.enum == nil && f.minimum == "" && f.maximum == "" {
		return nil
	}
	return f.check(v)
}

func (f *field) check(v reflect.Value) error {
	var text string
	var number float64
	switch v.Kind() {
	case reflect.Pointer:
		return f.check(v.Elem())
	case reflect.Slice:
		for i := range v.Len() {
			if err := f.check(v.Index(i)); err != nil {
				return under("["+strconv.Itoa(i)+"]", err)
			}
		}
		return nil
	case reflect.String:
		text = v.String()
	case reflect.Float32, reflect.Float64:
		number = v.Float()
		text = strconv.FormatFloat(number, 'g', -1, 64)
	default:
		if v.CanInt() {
			number, text = float64(v.Int()), strconv.FormatInt(v.Int(), 10)
		} else {
			number, text = float64(v.Uint()), strconv.FormatUint(v.Uint(), 10)
		}
	}
	switch {
	case f.enum != nil && !slices.Contains(f.enum, text):
		return problem("expected one of " + strings.Join(f.enum, ", ") + ", got " + strconv.Quote(text))
	case f.minimum != "" && number < f.low:
		return problem("expected at least " + f.minimum + ", got " + text)
	case f.maximum != "" && number > f.high:
		return problem("expected at most " + f.maximum + ", got " + text)
	}
	return nil
}
