// Package jsonscan looks at the structure of JSON without decoding it, so that
// what decoding will cost is known before it is paid.
package jsonscan

import "iter"

// Structure yields the braces, brackets and commas of raw that are not in a
// string, each with the depth behind it: 1 in the outermost object or array. Of
// what is not JSON it yields something; it never fails and allocates nothing.
func Structure(raw []byte) iter.Seq2[byte, int] {
	return func(yield func(byte, int) bool) {
		depth, inText := 0, false
		for i := 0; i < len(raw); i++ {
			switch c := raw[i]; {
			case inText && c == '\\':
				i++
				continue
			case c == '"':
				inText = !inText
				continue
			case inText:
				continue
			case c == '{', c == '[':
				depth++
			case c == '}', c == ']':
				depth--
			case c != ',':
				continue
			}
			if !yield(raw[i], depth) {
				return
			}
		}
	}
}
