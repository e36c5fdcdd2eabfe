// Package printable makes foreign text safe to show. A guest's words reach
// terminals, logs and error messages; escape sequences in them could rewrite
// what an operator sees, and newlines could forge log lines.
package printable

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Line returns s as one printable line of at most max bytes: control
// characters, line breaks, invalid UTF-8 and invisible direction marks become
// escapes, and what is cut is marked with an ellipsis.
func Line(s string, max int) string {
	const ellipsis = "…"
	line := make([]byte, 0, min(len(s), max))
	fits := 0 // the length up to which an ellipsis has room behind it
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1:
			line = append(line, `\x`+strconv.FormatUint(uint64(s[0])|0x100, 16)[1:]...)
		case !strconv.IsPrint(r):
			line = append(line, strings.Trim(strconv.QuoteRuneToASCII(r), "'")...)
		default:
			line = append(line, s[:size]...)
		}
		if len(line) > max {
			return string(line[:fits]) + ellipsis
		}
		if len(line)+len(ellipsis) <= max {
			fits = len(line)
		}
		s = s[size:]
	}
	return string(line)
}
