package shape

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth bounds nesting. A Go call in a guest is a call of the engine too, and
// the engine's stack is small: arguments nested 9000 deep overflowed the 512 KiB
// of a sandbox, which ends the instance. This is an error that can be read.
const maxDepth = 1000

// reader walks over JSON text in place. It never changes or keeps the text.
type reader struct {
	data  []byte
	at    int
	depth int
}

// syntax says what is wrong with the text itself, as opposed to its meaning.
func (r *reader) syntax(why string) error {
	return problem("not valid JSON at byte " + strconv.Itoa(r.at) + ": " + why)
}

// peek skips white space and returns the next byte, or 0 at the end.
func (r *reader) peek() byte {
	for r.at < len(r.data) {
		switch c := r.data[r.at]; c {
		case ' ', '\t', '\n', '\r':
			r.at++
		default:
			return c
		}
	}
	return 0
}

// end makes sure that nothing follows.
func (r *reader) end() error {
	if r.peek(); r.at < len(r.data) {
		return r.syntax("more text after the value")
	}
	return nil
}

// expect fails unless a value that starts with first comes next.
func (r *reader) expect(first byte, wanted string) error {
	if r.peek() == first {
		return nil
	}
	return r.mismatch(wanted)
}

// mismatch says that another kind of value was wanted than the one that comes.
func (r *reader) mismatch(wanted string) error {
	var got string
	switch c := r.peek(); {
	case c == '{':
		got = "an object"
	case c == '[':
		got = "an array"
	case c == '"':
		got = "a string"
	case c == 't' || c == 'f':
		got = "a boolean"
	case c == 'n':
		got = "null"
	case c == '-' || c >= '0' && c <= '9':
		got = "a number"
	case r.at == len(r.data):
		return r.syntax("the text ends too early")
	default:
		return r.syntax("unexpected " + strconv.QuoteRune(rune(c)))
	}
	return problem("expected " + wanted + ", got " + got)
}

func (r *reader) enter() error {
	if r.depth++; r.depth > maxDepth {
		return r.syntax("nested deeper than " + strconv.Itoa(maxDepth))
	}
	return nil
}

// literal takes one of true, false and null.
func (r *reader) literal(word string) error {
	if len(r.data)-r.at < len(word) || string(r.data[r.at:r.at+len(word)]) != word {
		return r.syntax("expected " + word)
	}
	r.at += len(word)
	return nil
}

// next moves to the next element of an array or object whose bracket was
// taken; it returns false when the closing bracket was taken.
func (r *reader) next(first bool, closing byte) (bool, error) {
	switch c := r.peek(); {
	case c == closing:
		r.at++
		r.depth--
		return false, nil
	case first:
		return true, nil
	case c == ',':
		r.at++
		if r.peek() == closing {
			return false, r.syntax("a comma before the closing bracket")
		}
		return true, nil
	}
	return false, r.syntax("expected a comma or a closing bracket")
}

// key takes an object's key and the colon after it.
func (r *reader) key() (string, error) {
	if r.peek() != '"' {
		return "", r.syntax("expected a key in quotes")
	}
	name, err := r.text()
	if err != nil {
		return "", err
	}
	if r.peek() != ':' {
		return "", r.syntax("expected a colon after a key")
	}
	r.at++
	return name, nil
}

// number takes a number and returns its text.
func (r *reader) number() ([]byte, error) {
	start := r.at
	if r.at < len(r.data) && r.data[r.at] == '-' {
		r.at++
	}
	switch {
	case r.at < len(r.data) && r.data[r.at] == '0':
		r.at++
	case !r.digits():
		return nil, r.syntax("expected a digit")
	}
	if r.at < len(r.data) && r.data[r.at] == '.' {
		r.at++
		if !r.digits() {
			return nil, r.syntax("expected a digit after the point")
		}
	}
	if r.at < len(r.data) && r.data[r.at]|0x20 == 'e' {
		r.at++
		if r.at < len(r.data) && (r.data[r.at] == '+' || r.data[r.at] == '-') {
			r.at++
		}
		if !r.digits() {
			return nil, r.syntax("expected a digit in the exponent")
		}
	}
	return r.data[start:r.at], nil
}

func (r *reader) digits() bool {
	start := r.at
	for r.at < len(r.data) && r.data[r.at]-'0' <= 9 {
		r.at++
	}
	return r.at > start
}

// quoted takes a string, checks it, and returns what is between the quotes,
// with its escapes if escaped.
func (r *reader) quoted() (inner []byte, escaped bool, err error) {
	r.at++
	start := r.at
	for r.at < len(r.data) {
		switch c := r.data[r.at]; {
		case c == '"':
			r.at++
			return r.data[start : r.at-1], escaped, nil
		case c < ' ':
			return nil, false, r.syntax("a control character in a string")
		case c == '\\':
			escaped = true
			if err := r.escape(); err != nil {
				return nil, false, err
			}
		default:
			r.at++
		}
	}
	return nil, false, r.syntax("a string without an end")
}

// escape skips one escape sequence.
func (r *reader) escape() error {
	if r.at++; r.at < len(r.data) {
		switch r.data[r.at] {
		case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			r.at++
			return nil
		case 'u':
			if _, ok := hex4(r.data[r.at+1:]); ok {
				r.at += 5
				return nil
			}
		}
	}
	return r.syntax("an unknown escape in a string")
}

// text takes a string and returns its meaning. Bytes that are no UTF-8 and
// lone surrogates become U+FFFD.
func (r *reader) text() (string, error) {
	inner, escaped, err := r.quoted()
	switch {
	case err != nil:
		return "", err
	case !escaped && utf8.Valid(inner):
		return string(inner), nil
	case !escaped:
		return strings.ToValidUTF8(string(inner), "\ufffd"), nil
	}
	return strings.ToValidUTF8(string(unescape(inner)), "\ufffd"), nil
}

// unescape resolves the escapes of a checked string.
func unescape(inner []byte) []byte {
	out := make([]byte, 0, len(inner))
	for i := 0; i < len(inner); i++ {
		if inner[i] != '\\' {
			out = append(out, inner[i])
			continue
		}
		i++
		switch c := inner[i]; c {
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			high, _ := hex4(inner[i+1:])
			i += 4
			if utf16.IsSurrogate(high) {
				low := rune(utf8.RuneError)
				if len(inner) > i+6 && inner[i+1] == '\\' && inner[i+2] == 'u' {
					low, _ = hex4(inner[i+3:])
				}
				if high = utf16.DecodeRune(high, low); high != utf8.RuneError {
					i += 6
				}
			}
			out = utf8.AppendRune(out, high)
		default:
			out = append(out, c)
		}
	}
	return out
}

func hex4(b []byte) (rune, bool) {
	if len(b) < 4 {
		return 0, false
	}
	var v rune
	for _, c := range b[:4] {
		switch {
		case c >= '0' && c <= '9':
			v = v<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			v = v<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return v, true
}
