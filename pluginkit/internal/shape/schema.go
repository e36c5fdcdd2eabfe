package shape

import "strconv"

// Schema is the JSON Schema (2020-12) of the type, without references.
func (s *Shape) Schema() []byte { return s.appendSchema(nil, nil) }

// appendSchema writes the schema; f is the field that holds the value, whose
// tags narrow it, or nil.
func (s *Shape) appendSchema(b []byte, f *field) []byte {
	if s.form == formPointer {
		return s.elem.appendSchema(b, f)
	}
	o := object{b: append(b, '{')}
	if f != nil && f.description != "" {
		o.text("description", f.description)
	}
	s.appendForm(&o, f)
	if f != nil && s.form != formSlice {
		f.appendLimits(&o, s)
	}
	if f != nil && f.standard != nil {
		o.raw("default", f.standard)
	}
	return append(o.b, '}')
}

func (s *Shape) appendForm(o *object, f *field) {
	switch s.form {
	case formBool:
		o.text("type", "boolean")
	case formInt:
		o.text("type", "integer")
		if bits := s.typ.Bits(); bits < 64 && (f == nil || f.minimum == "" && f.maximum == "") {
			o.raw("minimum", strconv.AppendInt(nil, -1<<(bits-1), 10))
			o.raw("maximum", strconv.AppendInt(nil, 1<<(bits-1)-1, 10))
		}
	case formUint:
		o.text("type", "integer")
		if f == nil || f.minimum == "" {
			o.raw("minimum", []byte("0"))
		}
		if bits := s.typ.Bits(); bits < 64 && (f == nil || f.maximum == "") {
			o.raw("maximum", strconv.AppendInt(nil, 1<<bits-1, 10))
		}
	case formFloat, formNumber:
		o.text("type", "number")
	case formString, formText:
		o.text("type", "string")
	case formBytes:
		o.text("type", "string")
		o.text("contentEncoding", "base64")
	case formJSON:
		if s.isTime() {
			o.text("type", "string")
			o.text("format", "date-time")
		}
	case formSlice, formArray:
		o.text("type", "array")
		o.raw("items", s.elem.appendItems(f))
		if s.form == formArray {
			length := strconv.AppendInt(nil, int64(s.typ.Len()), 10)
			o.raw("minItems", length)
			o.raw("maxItems", length)
		}
	case formMap:
		o.text("type", "object")
		o.raw("additionalProperties", s.elem.Schema())
	case formStruct:
		s.appendProperties(o)
	}
}

// appendItems writes the schema of a slice's elements: the limits in the
// slice's tags are theirs.
func (s *Shape) appendItems(f *field) []byte {
	if f == nil {
		return s.Schema()
	}
	return s.appendSchema(nil, &field{enum: f.enum, minimum: f.minimum, maximum: f.maximum})
}

func (s *Shape) appendProperties(o *object) {
	o.text("type", "object")
	properties := object{b: []byte{'{'}}
	var required []byte
	for i := range s.fields {
		f := &s.fields[i]
		properties.raw(f.name, f.shape.appendSchema(nil, f))
		if f.required {
			if required != nil {
				required = append(required, ',')
			}
			required = appendString(required, f.name)
		}
	}
	o.raw("properties", append(properties.b, '}'))
	if required != nil {
		o.raw("required", append(append([]byte{'['}, required...), ']'))
	}
	o.raw("additionalProperties", []byte("false"))
}

func (f *field) appendLimits(o *object, s *Shape) {
	if f.enum != nil {
		list := []byte{'['}
		for i, value := range f.enum {
			if i > 0 {
				list = append(list, ',')
			}
			if s.form == formString {
				list = appendString(list, value)
			} else {
				list = append(list, value...)
			}
		}
		o.raw("enum", append(list, ']'))
	}
	if f.minimum != "" {
		o.raw("minimum", []byte(f.minimum))
	}
	if f.maximum != "" {
		o.raw("maximum", []byte(f.maximum))
	}
}

// object writes a JSON object's members in order.
type object struct{ b []byte }

func (o *object) raw(key string, value []byte) {
	if o.b[len(o.b)-1] != '{' {
		o.b = append(o.b, ',')
	}
	o.b = append(appendString(o.b, key), ':')
	o.b = append(o.b, value...)
}

func (o *object) text(key, value string) { o.raw(key, appendString(nil, value)) }
