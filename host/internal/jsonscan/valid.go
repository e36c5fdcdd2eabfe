package jsonscan

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math/bits"
)

// Valid is json.Valid, which looks at every byte by itself; most bytes of a large
// message are text, in which only quotes, backslashes and control characters mean
// anything to JSON. So the rest of each string is cut out, eight bytes at a time, and
// json.Valid judges what is left.
//
// That is the same judgement: up to its first mistake, raw and what is left of it take
// json.Valid through the same states, since within a string an ordinary byte changes
// nothing, and the mistake itself is never cut out. FuzzValid compares the two.
//
// It allocates at most half of raw; where more would be left, nothing is cut out.
func Valid(raw []byte) bool {
	if left, ok := withoutText(raw, len(raw)/2); ok {
		return json.Valid(left)
	}
	return json.Valid(raw)
}

// withoutText is raw without the ordinary bytes of its strings, if that is at most so
// many bytes.
func withoutText(raw []byte, most int) (left []byte, ok bool) {
	take := func(n int) bool {
		n = min(n, len(raw))
		if len(left)+n > most {
			return false
		}
		left = append(left, raw[:n]...)
		raw = raw[n:]
		return true
	}
	for len(raw) > 0 {
		n := bytes.IndexByte(raw, '"') + 1 // the quote that begins a string
		if n == 0 {
			n = len(raw)
		}
		if !take(n) {
			return nil, false
		}
		for inText := true; inText; {
			raw = raw[ordinary(raw):]
			n := 1
			switch {
			case len(raw) == 0:
				return left, true
			case raw[0] == '"':
				inText = false
			case raw[0] == '\\' && len(raw) > 1 && raw[1] == 'u':
				n = len(`\u0000`)
			case raw[0] == '\\':
				n = 2
			}
			if !take(n) {
				return nil, false
			}
		}
	}
	return left, true
}

// ordinary is how many bytes of text come before a quote, a backslash, a control
// character or the end.
func ordinary(text []byte) (n int) {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	for ; len(text)-n >= 8; n += 8 {
		// A byte's high bit is set where the byte is special. A borrow can set bits above
		// the first one that is, never below.
		b := binary.LittleEndian.Uint64(text[n:])
		quote, escape := b^ones*'"', b^ones*'\\'
		special := ((b-ones*' ')&^b | (quote-ones)&^quote | (escape-ones)&^escape) & highs
		if special != 0 {
			return n + bits.TrailingZeros64(special)/8
		}
	}
	for ; n < len(text); n++ {
		if c := text[n]; c == '"' || c == '\\' || c < ' ' {
			break
		}
	}
	return n
}
