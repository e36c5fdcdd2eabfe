package bench

import (
	"encoding/binary"
	"errors"
	"os"
)

// What is looked at of a module's binary form.
const (
	preambleSize    = 8
	sectionFunction = 3
	sectionCode     = 10
)

var errModule = errors.New("the tool's module is not what a Go compiler writes")

// writeLarger writes a module like that in the file from, and at least as large as it
// is said to be: with its functions several times, of which only the first ones are
// called. So it compiles, loads and links like a program of that size does, while the
// guest does what it did. (Its data, and the memory that it touches, stay the same.)
func writeLarger(from, to string, size int) error {
	module, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	larger, err := larger(module, size)
	if err != nil {
		return err
	}
	return os.WriteFile(to, larger, 0o600)
}

func larger(module []byte, size int) ([]byte, error) {
	if len(module) < preambleSize {
		return nil, errModule
	}
	repeated := 0 // bytes of what will be there several times
	if err := sections(module, func(id byte, body []byte) error {
		if id == sectionFunction || id == sectionCode {
			_, n := binary.Uvarint(body)
			repeated += len(body) - max(n, 0)
		}
		return nil
	}); err != nil || repeated == 0 {
		return nil, errors.Join(errModule, err)
	}
	times := 1 + (max(size-len(module), 0)+repeated-1)/repeated
	out := append([]byte(nil), module[:preambleSize]...)
	err := sections(module, func(id byte, body []byte) error {
		if id == sectionFunction || id == sectionCode {
			count, n := binary.Uvarint(body)
			if n <= 0 {
				return errModule
			}
			entries := body[n:]
			body = binary.AppendUvarint(nil, count*uint64(times))
			for range times {
				body = append(body, entries...)
			}
		}
		out = append(binary.AppendUvarint(append(out, id), uint64(len(body))), body...)
		return nil
	})
	return out, err
}

// sections calls f with each section of a module.
func sections(module []byte, f func(id byte, body []byte) error) error {
	for rest := module[preambleSize:]; len(rest) > 0; {
		id := rest[0]
		size, n := binary.Uvarint(rest[1:])
		if n <= 0 || size > uint64(len(rest)-1-n) {
			return errModule
		}
		body := rest[1+n:][:size]
		if err := f(id, body); err != nil {
			return err
		}
		rest = rest[1+n+int(size):]
	}
	return nil
}
