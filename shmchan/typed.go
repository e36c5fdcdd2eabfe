package shmchan

import (
	"errors"
	"fmt"
	"reflect"
)

// ErrNotPlain means that a type cannot travel as a typed message. It is wrapped
// in an error that names the field.
var ErrNotPlain = errors.New("not plain old data")

// Typed carries values of one plain-old-data type T as messages whose bytes
// are T's bytes in memory: no encoding, no reflection and no allocation per
// message. T may be a bool, an integer, a float, a complex number, or an array
// or struct of such, nested at will.
//
// # What is refused, when the Typed is made
//
// Whatever refers to memory of this process (pointer, slice, string, map,
// interface, channel, function, unsafe.Pointer, uintptr): it would tell the
// peer our addresses and mean nothing there, and coming in it would be an
// address of the peer's choice. Padding: its bytes are whatever lay there
// before, which is how secrets leak. Write a blank field (_ [4]byte) in its
// place; blank fields travel as zeros, and incoming ones become zero. A type
// without any byte.
//
// # What is checked on every message
//
// The length, and that each bool is 0 or 1: Go may do anything with a bool
// that is neither. Every pattern of bits is a valid integer and float, NaN
// included, so numbers need checks of meaning only, which are T's owner's.
//
// Layout and byte order are those of Go on this machine (little-endian on
// amd64 and arm64, int and uint 64 bits): both ends of a channel run on one
// machine, and messages are not for storing. That both ends mean the same T is
// for them to agree on, for example by the message kind.
type Typed[T any] struct {
	layout *plainLayout // nil in the zero value, which carries nothing
}

// NewTyped checks that T is plain old data. The error wraps ErrNotPlain and
// names the first field that is not, as in "Order.Items[].Name is a string".
func NewTyped[T any]() (Typed[T], error) {
	t := reflect.TypeFor[T]()
	l := &plainLayout{size: int(t.Size())}
	name := t.String()
	if t.Size() == 0 {
		return Typed[T]{}, fmt.Errorf("%s has no bytes: %w", name, ErrNotPlain)
	}
	if err := l.add(t, name, nil, 0); err != nil {
		return Typed[T]{}, err
	}
	return Typed[T]{layout: l}, nil
}

// Size is the length of an encoded T in bytes.
func (t Typed[T]) Size() int {
	if t.layout == nil {
		return 0
	}
	return t.layout.size
}

// plainLayout is where in a T bytes need care.
type plainLayout struct {
	size   int
	bools  []byteRun
	blanks []byteRun
}

// byteRun is n bytes at an offset, repeated as its loops say: one loop for each
// array around it. A T with a million bools is still one run.
type byteRun struct {
	offset, n int
	loops     []repeat
}

type repeat struct{ count, stride int }

// each calls f with the offset of every repetition until f returns false.
func (r byteRun) each(f func(offset int) bool) bool { return eachIn(r.loops, r.offset, f) }

func eachIn(loops []repeat, offset int, f func(int) bool) bool {
	if len(loops) == 0 {
		return f(offset)
	}
	for range loops[0].count {
		if !eachIn(loops[1:], offset, f) {
			return false
		}
		offset += loops[0].stride
	}
	return true
}

func (l *plainLayout) add(t reflect.Type, path string, loops []repeat, offset int) error {
	switch t.Kind() {
	case reflect.Bool:
		l.bools = append(l.bools, byteRun{offset, 1, loops})
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64,
		reflect.Float32, reflect.Float64, reflect.Complex64, reflect.Complex128:
	case reflect.Array:
		if t.Len() == 0 {
			// Without elements, but refused if the element type is: a later
			// change of the length must not change what may travel.
			return (&plainLayout{}).add(t.Elem(), path+"[]", nil, 0)
		}
		inner := append(loops[:len(loops):len(loops)], repeat{t.Len(), int(t.Elem().Size())})
		return l.add(t.Elem(), path+"[]", inner, offset)
	case reflect.Struct:
		return l.addStruct(t, path, loops, offset)
	case reflect.Uintptr, reflect.UnsafePointer:
		return fmt.Errorf("%s is of type %s, an address of this process: %w", path, t, ErrNotPlain)
	default:
		return fmt.Errorf("%s is a %s, which refers to memory of this process: %w", path, t.Kind(), ErrNotPlain)
	}
	return nil
}

func (l *plainLayout) addStruct(t reflect.Type, path string, loops []repeat, offset int) error {
	end := 0
	after := "the start"
	for i := range t.NumField() {
		f := t.Field(i)
		if gap := int(f.Offset) - end; gap > 0 {
			return paddingError(path, gap, after)
		}
		name := path + "." + f.Name
		into := l
		if f.Name == "_" {
			if n := int(f.Type.Size()); n > 0 {
				l.blanks = append(l.blanks, byteRun{offset + int(f.Offset), n, loops})
			}
			into = &plainLayout{} // whatever comes is set to zero, bools too
		}
		if err := into.add(f.Type, name, loops, offset+int(f.Offset)); err != nil {
			return err
		}
		end = int(f.Offset + f.Type.Size())
		after = name
	}
	if gap := int(t.Size()) - end; gap > 0 {
		return paddingError(path, gap, after)
	}
	return nil
}

func paddingError(path string, n int, after string) error {
	return fmt.Errorf("%s has %d bytes of padding after %s (use a blank field): %w", path, n, after, ErrNotPlain)
}

// clear sets the blank fields of an encoded T to zero.
func (l *plainLayout) clear(b []byte) {
	for _, r := range l.blanks {
		r.each(func(o int) bool { clear(b[o : o+r.n]); return true })
	}
}

// accept checks an incoming T, in private memory, and clears its blank fields.
func (l *plainLayout) accept(b []byte) error {
	if err := l.check(b); err != nil {
		return err
	}
	l.clear(b)
	return nil
}

// check looks for a bool that is neither 0 nor 1.
func (l *plainLayout) check(b []byte) error {
	for _, r := range l.bools {
		bad := -1
		r.each(func(o int) bool {
			if b[o] > 1 {
				bad = o
			}
			return bad < 0
		})
		if bad >= 0 {
			return &ViolationError{What: fmt.Sprintf("bool at offset %d of a typed message", bad), Got: uint64(b[bad]), Limit: 1}
		}
	}
	return nil
}
