package main

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// decode turns a body into UTF-8 and names the encoding that it was taken for.
//
// Browsers believe, in this order, a byte order mark, the Content-Type and the
// page's own meta element. So does this, with exceptions for pages that are wrong
// about themselves: what is valid UTF-8 with characters beyond ASCII is UTF-8, since
// other text hardly ever looks like it; what claims to be UTF-8 and mostly is not is
// Windows-1252; and zero bytes in every second place are UTF-16.
func decode(body []byte, contentType string) (text, name string, err error) {
	e, name, _ := charset.DetermineEncoding(body, contentType)
	wide, valid, broken := utf16Name(body), 0, 0
	if !hasMark(body) {
		valid, broken = runes(body)
		switch {
		case wide != "":
			e, name = charset.Lookup(wide)
		case broken == 0 && (valid > 0 || name == "windows-1252"):
			e, name = encoding.Nop, "utf-8"
		case name == "utf-8" && broken > valid:
			e, name = charset.Lookup("windows-1252")
		}
	}
	if name == "utf-8" {
		e = unicode.UTF8
	}
	out, _, err := transform.Bytes(unicode.BOMOverride(e.NewDecoder()), body)
	if err != nil {
		return "", name, fmt.Errorf("the page cannot be read as %s: %w", name, err)
	}
	return strings.ToValidUTF8(string(out), "\ufffd"), name, nil
}

// hasMark reports whether a body begins with the mark of UTF-8 or UTF-16.
func hasMark(body []byte) bool {
	head := string(body[:min(len(body), 3)])
	return head == "\xef\xbb\xbf" || strings.HasPrefix(head, "\xff\xfe") || strings.HasPrefix(head, "\xfe\xff")
}

// runes counts characters of more than one byte, and bytes that are no UTF-8. A
// character that the end of the body cuts is neither.
func runes(body []byte) (valid, broken int) {
	for len(body) > 0 {
		r, size := utf8.DecodeRune(body)
		switch {
		case r == utf8.RuneError && size == 1 && utf8.FullRune(body):
			broken++
		case size > 1:
			valid++
		}
		body = body[size:]
	}
	return valid, broken
}

// utf16Name tells UTF-16 without a mark by the zeros of its markup, which is ASCII.
func utf16Name(body []byte) string {
	const least = 8
	var zeros [2]int
	body = body[:min(len(body), 512)&^1]
	for i, b := range body {
		if b == 0 {
			zeros[i&1]++
		}
	}
	pairs := len(body) / 2
	switch {
	case pairs < least:
	case zeros[1] > pairs/2 && zeros[0] < pairs/16:
		return "utf-16le"
	case zeros[0] > pairs/2 && zeros[1] < pairs/16:
		return "utf-16be"
	}
	return ""
}
