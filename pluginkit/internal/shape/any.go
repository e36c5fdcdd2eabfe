package shape

import "strconv"

// any reads a value of any kind: nil, bool, float64, string, []any or
// map[string]any, as encoding/json does.
func (r *reader) any() (any, error) {
	switch c := r.peek(); {
	case c == '{':
		return r.anyObject()
	case c == '[':
		return r.anyArray()
	case c == '"':
		return r.text()
	case c == 't':
		return true, r.literal("true")
	case c == 'f':
		return false, r.literal("false")
	case c == 'n':
		return nil, r.literal("null")
	case isNumber(c):
		text, err := r.number()
		if err != nil {
			return nil, err
		}
		f, err := strconv.ParseFloat(string(text), 64)
		if err != nil {
			return nil, problem("the number " + string(text) + " is too large")
		}
		return f, nil
	}
	return nil, r.mismatch("a value")
}

func (r *reader) anyArray() (any, error) {
	r.at++
	if err := r.enter(); err != nil {
		return nil, err
	}
	list := []any{}
	for {
		more, err := r.next(len(list) == 0, ']')
		if err != nil {
			return nil, err
		}
		if !more {
			return list, nil
		}
		value, err := r.any()
		if err != nil {
			return nil, err
		}
		list = append(list, value)
	}
}

func (r *reader) anyObject() (any, error) {
	r.at++
	if err := r.enter(); err != nil {
		return nil, err
	}
	object := map[string]any{}
	for first := true; ; first = false {
		more, err := r.next(first, '}')
		if err != nil {
			return nil, err
		}
		if !more {
			return object, nil
		}
		name, err := r.key()
		if err != nil {
			return nil, err
		}
		if object[name], err = r.any(); err != nil {
			return nil, err
		}
	}
}

// Any reads one JSON value of any kind.
func Any(data []byte) (any, error) {
	r := &reader{data: data}
	value, err := r.any()
	if err == nil {
		err = r.end()
	}
	return value, err
}

// Member returns the JSON of a member of an object. The text must be JSON.
func Member(data []byte, name string) ([]byte, error) {
	r := &reader{data: data}
	if err := r.expect('{', "an object"); err != nil {
		return nil, err
	}
	r.at++
	if err := r.enter(); err != nil {
		return nil, err
	}
	for first := true; ; first = false {
		more, err := r.next(first, '}')
		if err != nil {
			return nil, err
		}
		if !more {
			return nil, problem("there is no " + name)
		}
		key, err := r.key()
		if err != nil {
			return nil, err
		}
		value, err := r.skip()
		if err != nil {
			return nil, err
		}
		if key == name {
			return value, nil
		}
	}
}
