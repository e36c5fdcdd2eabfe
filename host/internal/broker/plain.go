package broker

import (
	"html"
	"unicode/utf8"
)

// plainer writes a stream in its plain form, block by block: %41, \u0041 and
// &#x41; become A, \/ becomes /, and white space and zeros, escaped or not, are
// dropped. It is for searching only: the result means nothing else.
//
// Attack: some servers take from a request the charset in which they answer. ASCII in
// UTF-16 or UTF-32, in either byte order, is itself with zeros in between.
type plainer struct {
	pending []byte // an escape whose end has not come yet, shorter than longestEntity
	out     []byte // reused; a result holds until the next call
	changed bool   // the last result is not what was taken
}

// next takes a block.
func (p *plainer) next(block []byte) []byte {
	in := block
	if len(p.pending) > 0 {
		in = append(p.pending, block...)
	}
	p.out, p.changed = p.out[:0], false
	for len(in) > 0 {
		n := ordinary(in)
		p.out = append(p.out, in[:n]...)
		if in = in[n:]; len(in) == 0 {
			break
		}
		size, whole := escape(in)
		if !whole {
			break
		}
		before := len(p.out)
		p.emit(in[:size])
		p.changed = p.changed || size > 1 || len(p.out) == before
		in = in[size:]
	}
	p.pending = append([]byte(nil), in...)
	return p.out
}

// rest ends the stream: an escape that never ended stands for itself.
func (p *plainer) rest() []byte {
	p.out = append(p.out[:0], p.pending...)
	p.pending = nil
	return p.out
}

func plainForm(b []byte) []byte {
	var p plainer
	out := append([]byte(nil), p.next(b)...)
	return append(out, p.rest()...)
}

func withoutSpace(b []byte) []byte {
	var p plainer
	for _, c := range b {
		p.emitByte(c)
	}
	return p.out
}

// special marks the bytes that ordinary stops at.
var special = [256]bool{0: true, ' ': true, '\t': true, '\n': true, '\r': true, '%': true, '\\': true, '&': true}

// ordinary counts the bytes before the next special one.
func ordinary(b []byte) int {
	for i, c := range b {
		if special[c] {
			return i
		}
	}
	return len(b)
}

// escape gives the length of what starts at a special byte, and whether all of
// it is there.
func escape(b []byte) (size int, whole bool) {
	size = 1
	switch {
	case b[0] == '&':
		return entity(b)
	case b[0] == '%':
		size = 3
	case b[0] == '\\' && len(b) > 1 && b[1] == 'u':
		size = 6
	case b[0] == '\\' && len(b) > 1 && b[1] == 'x':
		size = 4
	case b[0] == '\\' && len(b) > 1 && b[1] == 0: // the next layer has what it escapes
	case b[0] == '\\':
		size = 2
	}
	// An escape that is broken already need not be waited for.
	for i := size - digits(size); i < min(size, len(b)); i++ {
		if size > 2 && unhex(b[i]) < 0 {
			return 1, true
		}
	}
	return size, len(b) >= size
}

// longestEntity is room for "&#x0000041;".
const longestEntity = 11

// entity is escape for the references of HTML: pages of errors write / and = so.
func entity(b []byte) (size int, whole bool) {
	for i := 1; i < min(len(b), longestEntity); i++ {
		switch c := b[i]; {
		case c == ';':
			return i + 1, true
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '#' && i == 1:
		default:
			return 1, true
		}
	}
	return 1, len(b) >= longestEntity
}

// digits is how many hexadecimal digits an escape of that size has.
func digits(size int) int {
	switch size {
	case 3, 4:
		return 2
	case 6:
		return 4
	}
	return 0
}

// emit writes what a whole escape stands for.
func (p *plainer) emit(e []byte) {
	n := digits(len(e))
	switch {
	case e[0] == '&' && len(e) > 1:
		for _, c := range []byte(html.UnescapeString(string(e))) {
			p.emitByte(c)
		}
	case n > 0:
		v := rune(0)
		for _, c := range e[len(e)-n:] {
			v = v<<4 | rune(unhex(c))
		}
		if n == 2 {
			p.emitByte(byte(v))
		} else if v < utf8.RuneSelf {
			p.emitByte(byte(v))
		} else {
			p.out = utf8.AppendRune(p.out, v)
		}
	case len(e) == 2:
		switch e[1] {
		case 'n', 'r', 't': // white space
		default:
			p.emitByte(e[1])
		}
	default:
		p.emitByte(e[0])
	}
}

func (p *plainer) emitByte(c byte) {
	switch c {
	case 0, ' ', '\t', '\n', '\r':
	default:
		p.out = append(p.out, c)
	}
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
