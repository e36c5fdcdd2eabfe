package wasmbin

import "unicode/utf8"

// reader walks over the content of one section. Every read is checked; an
// offset never passes the end.
type reader struct {
	b    []byte
	off  int
	what string // for messages: the section's name
}

func (r *reader) left() int { return len(r.b) - r.off }

func (r *reader) short() error {
	return malformed("the %s section ends in the middle of an entry", r.what)
}

func (r *reader) byte() (byte, error) {
	if r.off >= len(r.b) {
		return 0, r.short()
	}
	r.off++
	return r.b[r.off-1], nil
}

func (r *reader) bytes(n uint32) ([]byte, error) {
	if uint64(n) > uint64(r.left()) {
		return nil, r.short()
	}
	b := r.b[r.off : r.off+int(n)]
	r.off += int(n)
	return b, nil
}

// leb reads an unsigned LEB128 number of at most so many bits.
func (r *reader) leb(bits uint) (uint64, error) {
	var v uint64
	for shift := uint(0); shift < bits; shift += 7 {
		c, err := r.byte()
		if err != nil {
			return 0, err
		}
		if rest := bits - shift; rest < 7 && c>>rest != 0 {
			break
		}
		v |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return v, nil
		}
	}
	return 0, malformed("a number in the %s section does not fit into %d bits", r.what, bits)
}

func (r *reader) u32() (uint32, error) {
	v, err := r.leb(32)
	return uint32(v), err
}

// count reads the length of a vector, of which there may be so many entries.
func (r *reader) count(most uint32) (uint32, error) {
	n, err := r.u32()
	if err != nil {
		return 0, err
	}
	if n > most {
		return 0, malformed("%d entries in the %s section (maximum %d)", n, r.what, most)
	}
	return n, nil
}

// name reads UTF-8 text.
func (r *reader) name() (string, error) {
	n, err := r.u32()
	if err != nil {
		return "", err
	}
	b, err := r.bytes(n)
	if err != nil {
		return "", err
	}
	if !utf8.Valid(b) {
		return "", malformed("a name in the %s section is not UTF-8", r.what)
	}
	return string(b), nil
}

// appendLEB writes an unsigned number as LEB128.
func appendLEB(b []byte, v uint64) []byte {
	for v >= 0x80 {
		b = append(b, byte(v)|0x80)
		v >>= 7
	}
	return append(b, byte(v))
}
