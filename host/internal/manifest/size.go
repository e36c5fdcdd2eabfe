package manifest

import "fmt"

const (
	// maxVisits bounds how often a part of a schema looks at a value in one
	// check. A visit that ends in a complaint takes a few microseconds.
	maxVisits = 5_000_000
	// maxReading bounds the bytes of text that patterns and length keywords
	// read, times what they do with each.
	maxReading = 200_000_000
	// namePart is how much of a property's name counts as one more value: each
	// complaint of "additionalProperties" quotes all the names, and "anyOf"
	// keeps the complaints of all its branches.
	namePart = 8
)

// size is what a value costs to check, before any of it is checked. A check
// cannot be interrupted, and both the schema and the value may be a guest's.
type size struct{ values, text int }

// add measures a decoded value and makes it print short.
func (s *size) add(v any) any {
	s.values++
	switch v := v.(type) {
	case string:
		s.text += len(v)
		return shortString(v)
	case []any:
		for i, e := range v {
			v[i] = s.add(e)
		}
		return shortArray(v)
	case map[string]any:
		for name, e := range v {
			s.values += len(name) / namePart
			s.text += len(name)
			v[name] = s.add(e)
		}
		return shortObject(v)
	}
	return v
}

// affords refuses a value that is too large for this schema.
func (s *schema) affords(size size) error {
	if visits := size.values * s.breadth; visits > maxVisits {
		return fmt.Errorf("%d values are too many for a schema of this kind (maximum %d)", size.values, maxVisits/s.breadth)
	}
	if reading := size.text * s.textual; reading > maxReading {
		return fmt.Errorf("%d bytes of text are too many for a schema with these patterns (maximum %d)", size.text, maxReading/s.textual)
	}
	return nil
}

// The validator quotes the whole value in each complaint, and there may be
// thousands of complaints about 16 MB. These types quote a piece of it.
type (
	shortString string
	shortArray  []any
	shortObject map[string]any
)

// Format implements fmt.Formatter.
func (v shortString) Format(f fmt.State, _ rune) {
	const most = 80
	if len(v) > most {
		fmt.Fprintf(f, "%q…", string(v[:most]))
		return
	}
	fmt.Fprint(f, string(v))
}

// Format implements fmt.Formatter.
func (v shortArray) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "an array of %d", len(v))
}

// Format implements fmt.Formatter.
func (v shortObject) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "an object with %d properties", len(v))
}
