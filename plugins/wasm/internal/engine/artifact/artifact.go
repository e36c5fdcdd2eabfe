// Package artifact is the form in which compiled code goes from the process that
// compiles to those that run it, through the host's cache.
//
// Engines run what they are given, so the host authenticates artifacts. The header
// only keeps an honest mistake, another version or a truncated file, from being
// run:
//
//	0   8 bytes   magic
//	8   4 × u64   lengths of the parts
//	40  88 bytes  identity, padded with zeros
//	128           the parts, each padded to 16 bytes, which engines need
package artifact

import (
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	magic        = "rfcode02"
	lengthsAt    = 8
	identityAt   = 40
	headerLength = 128
	alignment    = 16
	maxParts     = 4
)

// Marshal puts up to four parts behind a header. The identity names everything
// that makes compiled code unusable elsewhere, in at most 88 bytes; the CPU's
// features aside, which are part of the host's cache key.
func Marshal(identity string, parts ...[]byte) []byte {
	size := headerLength
	for _, p := range parts {
		size += len(p) + padding(len(p))
	}
	out := make([]byte, headerLength, size)
	copy(out, magic)
	copy(out[identityAt:headerLength], identity)
	for i, p := range parts {
		binary.LittleEndian.PutUint64(out[lengthsAt+8*i:], uint64(len(p)))
		out = append(out, p...)
		out = append(out, make([]byte, padding(len(p)))...)
	}
	return out
}

// Parse finds the parts again, which stay parts of b.
func Parse(b []byte, identity string) (parts [maxParts][]byte, err error) {
	if len(b) < headerLength || string(b[:len(magic)]) != magic {
		return parts, errors.New("not code that this sandbox compiled")
	}
	var want [headerLength - identityAt]byte
	copy(want[:], identity)
	if string(b[identityAt:headerLength]) != string(want[:]) {
		return parts, fmt.Errorf("compiled code is of another engine: want %q", identity)
	}
	rest := b[headerLength:]
	for i := range parts {
		n := binary.LittleEndian.Uint64(b[lengthsAt+8*i:])
		if n > uint64(len(rest)) || uint64(len(rest))-n < uint64(padding(int(n))) {
			return parts, errLength
		}
		parts[i], rest = rest[:n], rest[int(n)+padding(int(n)):]
	}
	if len(rest) != 0 {
		return parts, errLength
	}
	return parts, nil
}

var errLength = errors.New("compiled code has another length than its header says")

func padding(n int) int { return -n & (alignment - 1) }
