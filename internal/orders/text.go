package orders

import (
	"fmt"
	"strconv"
)

// Text is a string of any bytes. JSON would replace what is not UTF-8, and a
// path or an argument would come out as another one.
type Text string

// Texts converts a list.
func Texts(list []string) []Text {
	out := make([]Text, len(list))
	for i, s := range list {
		out[i] = Text(s)
	}
	return out
}

// Strings converts it back.
func Strings(list []Text) []string {
	out := make([]string, len(list))
	for i, t := range list {
		out[i] = string(t)
	}
	return out
}

// MarshalText quotes it as Go source does.
func (t Text) MarshalText() ([]byte, error) { return strconv.AppendQuoteToASCII(nil, string(t)), nil }

// UnmarshalText takes the quotes off.
func (t *Text) UnmarshalText(b []byte) error {
	s, err := strconv.Unquote(string(b))
	if err != nil {
		return fmt.Errorf("quoted text %.80q: %w", b, err)
	}
	*t = Text(s)
	return nil
}
