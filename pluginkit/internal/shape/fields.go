package shape

import (
	"reflect"
	"strconv"
	"strings"
)

// field is one property of a struct.
type field struct {
	name     string
	index    []int // for reflect.Value.FieldByIndex
	shape    *Shape
	required bool
	// omitEmpty and omitZero leave the field out of a result, as in encoding/json.
	omitEmpty, omitZero bool

	description      string
	enum             []string // the allowed strings, or numbers as text
	minimum, maximum string   // as written in the tag
	low, high        float64  // the same, when not ""
	standard         []byte   // the default as JSON, or nil
}

func (c *compiler) compileStruct(s *Shape) (*Shape, error) {
	if err := c.enter(s.typ); err != nil {
		return nil, err
	}
	defer c.leave()
	s.form, s.passes = formStruct, c.direction == Answer
	s.byName = map[string]int{}
	if err := c.addFields(s, s.typ, nil); err != nil {
		return nil, err
	}
	return s, nil
}

// addFields adds the fields of t, which is s.typ or a struct embedded in it.
func (c *compiler) addFields(s *Shape, t reflect.Type, index []int) error {
	for i := range t.NumField() {
		sf := t.Field(i)
		at := append(append([]int(nil), index...), i)
		tag := sf.Tag.Get("json")
		name, options, _ := strings.Cut(tag, ",")
		if tag == "-" || !sf.IsExported() && !sf.Anonymous {
			continue
		}
		if sf.Anonymous && name == "" {
			if sf.Type.Kind() != reflect.Struct {
				return c.fail("the embedded field " + sf.Name + " of " + t.String() + " is not a struct; give it a name")
			}
			if _, ok := c.special(sf.Type); !ok {
				if err := c.addFields(s, sf.Type, at); err != nil {
					return err
				}
				continue
			}
		}
		if name == "" {
			name = sf.Name
		}
		c.path = append(c.path, name)
		f, err := c.compileField(sf, name, options)
		if err == nil {
			if _, twice := s.byName[name]; twice {
				err = c.fail("two fields have this JSON name")
			}
		}
		c.path = c.path[:len(c.path)-1]
		if err != nil {
			return err
		}
		f.index = at
		s.byName[name] = len(s.fields)
		s.fields = append(s.fields, f)
	}
	return nil
}

func (c *compiler) compileField(sf reflect.StructField, name, options string) (field, error) {
	f := field{name: name}
	for option := range strings.SplitSeq(options, ",") {
		switch option {
		case "":
		case "omitempty":
			f.omitEmpty = true
		case "omitzero":
			f.omitZero = true
		default:
			return f, c.fail("the json option " + strconv.Quote(option) + " is not supported")
		}
	}
	shape, err := c.compile(sf.Type)
	if err != nil {
		return f, err
	}
	f.shape = shape
	f.required = !f.omitEmpty && !f.omitZero && shape.form != formPointer
	return f, c.readTags(&f, sf.Tag)
}

// readTags reads description, enum, minimum, maximum and default.
func (c *compiler) readTags(f *field, tag reflect.StructTag) error {
	f.description = tag.Get("description")
	if text, ok := tag.Lookup("jsonschema"); ok {
		if f.description != "" {
			return c.fail("has both a description and a jsonschema tag; they mean the same")
		}
		f.description = text
	}
	target := f.shape
	for target.form == formPointer || target.form == formSlice {
		target = target.elem
	}
	numeric := target.form == formInt || target.form == formUint || target.form == formFloat
	if list, ok := tag.Lookup("enum"); ok {
		if target.form != formString && !numeric {
			return c.fail("an enum tag needs a string or a number")
		}
		for value := range strings.SplitSeq(list, ",") {
			if _, err := strconv.ParseFloat(value, 64); numeric && err != nil {
				return c.fail("the enum value " + strconv.Quote(value) + " is not a number")
			}
			f.enum = append(f.enum, value)
		}
	}
	for _, bound := range []struct {
		key   string
		text  *string
		value *float64
	}{{"minimum", &f.minimum, &f.low}, {"maximum", &f.maximum, &f.high}} {
		text, ok := tag.Lookup(bound.key)
		if !ok {
			continue
		}
		value, err := strconv.ParseFloat(text, 64)
		if err != nil || !numeric {
			return c.fail("a " + bound.key + " tag needs a number, on a number")
		}
		*bound.text, *bound.value = text, value
	}
	if text, ok := tag.Lookup("default"); ok {
		return c.readDefault(f, text)
	}
	return nil
}

// readDefault checks the default as if a caller had sent it.
func (c *compiler) readDefault(f *field, text string) error {
	if c.direction == Output {
		return c.fail("a default tag has no meaning in a result")
	}
	f.standard = []byte(text)
	target := f.shape
	for target.form == formPointer {
		target = target.elem
	}
	if target.form == formString || target.form == formText {
		f.standard = appendString(nil, text)
	}
	f.required = false
	value := reflect.New(f.shape.typ).Elem()
	r := &reader{data: f.standard}
	err := f.decode(r, value)
	if err == nil {
		err = r.end()
	}
	if err != nil {
		return c.fail("the default " + strconv.Quote(text) + " is wrong: " + err.Error())
	}
	return nil
}
