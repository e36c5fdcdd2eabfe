package policies

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxSegments bounds a path: matching a pattern with "**" in its middle takes
// time in proportion to it.
const maxSegments = 256

const upperHex = "0123456789ABCDEF"

// canonicalPath gives the one spelling of a path. Escapes of characters that
// need none are undone (RFC 3986, section 6.2.2), all others are kept with
// upper-case digits: a decoded "%3B" would mean something else to a server
// that gives ";" a meaning.
func canonicalPath(raw string) (string, error) {
	if raw == "" {
		return "/", nil
	}
	segments := strings.Count(raw, "/")
	if segments > maxSegments {
		return "", fmt.Errorf("its path has %d segments (maximum %d)", segments, maxSegments)
	}
	out := make([]byte, 0, len(raw))
	rest := raw[1:]
	for more := true; more; {
		var segment string
		segment, rest, more = strings.Cut(rest, "/")
		if segment == "" && more {
			return "", errors.New("its path has an empty segment (//)")
		}
		start := len(out) + 1
		var err error
		if out, err = appendCanonical(append(out, '/'), segment, isPathByte); err != nil {
			return "", fmt.Errorf("its path has %w", err)
		}
		if err := checkSegment(string(out[start:])); err != nil {
			return "", fmt.Errorf("its path has %w", err)
		}
	}
	return string(out), nil
}

// canonicalQuery does the same for a query, which rules do not match on.
func canonicalQuery(raw string) (string, error) {
	out, err := appendCanonical(make([]byte, 0, len(raw)), raw, isQueryByte)
	if err != nil {
		return "", fmt.Errorf("its query has %w", err)
	}
	if strings.Contains(string(out), "%00") {
		return "", errors.New("its query has an encoded NUL (%00)")
	}
	return string(out), nil
}

func appendCanonical(out []byte, raw string, plain func(byte) bool) ([]byte, error) {
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if c != '%' {
			if !plain(c) {
				return nil, fmt.Errorf("the character %s: write %%%02X", quote(raw[i:i+1]), c)
			}
			out = append(out, c)
			continue
		}
		if i+2 >= len(raw) || !isHex(raw[i+1]) || !isHex(raw[i+2]) {
			return nil, errors.New("a % without two hex digits after it")
		}
		c = unhex(raw[i+1])<<4 | unhex(raw[i+2])
		if isUnreserved(c) {
			out = append(out, c)
		} else {
			out = append(out, '%', upperHex[c>>4], upperHex[c&15])
		}
		i += 2
	}
	return out, nil
}

// checkSegment looks at what a server will see after it has decoded a segment.
func checkSegment(canonical string) error {
	s := unescape(canonical)
	name, _, _ := strings.Cut(s, ";") // servers in Java cut parameters off: "..;/" is "../"
	switch {
	case name == "." || name == "..":
		return fmt.Errorf("the dot segment %s", quote(canonical))
	case strings.ContainsAny(s, `/\`):
		return errors.New("an encoded slash or backslash (%2F, %5C), which servers read differently")
	case hasEscape(s):
		return fmt.Errorf("the doubly encoded segment %s", quote(canonical))
	case !utf8.ValidString(s):
		// An overlong "%C0%AF" is a slash to a careless decoder.
		return fmt.Errorf("the segment %s, which is not UTF-8", quote(canonical))
	case strings.ContainsFunc(s, unicode.IsControl):
		return fmt.Errorf("a control character in the segment %s", quote(canonical))
	}
	return nil
}

// unescape decodes text of which every escape is known to be whole.
func unescape(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]) {
			out = append(out, unhex(s[i+1])<<4|unhex(s[i+2]))
			i += 2
			continue
		}
		out = append(out, s[i])
	}
	return string(out)
}

// hasEscape reports whether decoded text could be decoded once more: "%252e"
// is "%2e" to us and "." to a server behind a proxy that decodes too.
func hasEscape(s string) bool {
	for i := 0; i+2 < len(s); i++ {
		if s[i] == '%' && isHex(s[i+1]) && isHex(s[i+2]) {
			return true
		}
	}
	return false
}

func isUnreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0
}

// isPathByte: pchar of RFC 3986 without the escapes.
func isPathByte(c byte) bool {
	return isUnreserved(c) || strings.IndexByte("!$&'()*+,;=:@", c) >= 0
}

// isQueryByte adds the brackets of filter[name]=…, which most clients send
// unescaped.
func isQueryByte(c byte) bool { return isPathByte(c) || strings.IndexByte("/?[]", c) >= 0 }

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func unhex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c <= 'F':
		return c - 'A' + 10
	}
	return c - 'a' + 10
}

// quote makes text of a guest fit for one line of a message.
func quote(s string) string {
	const most = 120
	if len(s) > most {
		return fmt.Sprintf("%+q…", s[:most])
	}
	return fmt.Sprintf("%+q", s)
}
