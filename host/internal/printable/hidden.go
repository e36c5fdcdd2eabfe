package printable

import (
	"fmt"
	"strings"
)

// Hidden reports whether a character acts on what shows a text instead of being
// shown: control characters (escape sequences begin with one), marks that turn
// the direction of reading, and tags, which nobody sees and models read. What
// joins emoji and scripts is not among them.
func Hidden(r rune) bool {
	switch {
	case r < 0x20, r >= 0x7f && r < 0xa0:
		return true
	case r >= 0x200e && r <= 0x200f, r == 0x061c, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
		return true
	case r == 0xfeff, r >= 0x2028 && r <= 0x2029, r >= 0x2060 && r <= 0x2064:
		return true
	case r >= 0xfff9 && r <= 0xfffb, r >= 0xe0000 && r <= 0xe007f:
		return true
	}
	return false
}

// Text returns s with hidden characters and invalid UTF-8 written out, so that
// whoever shows it shows all of it. Line breaks and tabs stay.
func Text(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r == 0xfffd || r != '\n' && r != '\t' && Hidden(r) }) {
		return s
	}
	var out strings.Builder
	out.Grow(len(s) + 64)
	s = strings.ToValidUTF8(s, "\uFFFD")
	for i, r := range s {
		switch {
		case r == '\n', r == '\t':
			out.WriteRune(r)
		case r == '\r':
			if i+1 >= len(s) || s[i+1] != '\n' { // else a line break of Windows
				out.WriteString(`\r`)
			}
		case Hidden(r):
			fmt.Fprintf(&out, `\u{%x}`, r)
		default:
			out.WriteRune(r)
		}
	}
	return out.String()
}

// JSON returns valid JSON with its hidden characters as escapes, which mean the
// same to every reader.
func JSON(raw []byte) []byte {
	var out []byte
	done := 0
	for i, r := range string(raw) {
		if r < 0x80 && r != 0x7f || !Hidden(r) {
			continue
		}
		out = append(out, raw[done:i]...)
		if r > 0xffff {
			high, low := 0xd800+(r-0x10000)>>10, 0xdc00+(r-0x10000)&0x3ff
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		} else {
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		done = i + len(string(r))
	}
	if done == 0 {
		return raw
	}
	return append(out, raw[done:]...)
}
