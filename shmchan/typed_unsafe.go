package shmchan

import (
	"fmt"
	"unsafe"
)

// bytesOf is v's memory. A T of a Typed holds no pointers, so that the garbage
// collector has no say in what is written there.
func bytesOf[T any](v *T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(v)), unsafe.Sizeof(*v))
}

// Encode writes *v to the first Size bytes of dst, which may be shared memory
// of any alignment. A shorter dst gives ErrTooLarge and nothing is written.
func (t Typed[T]) Encode(dst []byte, v *T) error {
	if t.layout == nil {
		return fmt.Errorf("typed message of the zero Typed: %w", ErrNotPlain)
	}
	n := t.layout.size
	if len(dst) < n {
		return fmt.Errorf("typed message: %w", &TooLargeError{Got: int64(n), Max: int64(len(dst))})
	}
	if len(t.layout.blanks) == 0 {
		copy(dst[:n], bytesOf(v))
		return nil
	}
	// Cleared before it is copied: the peer can read dst already.
	var clean T
	copy(bytesOf(&clean), bytesOf(v))
	t.layout.clear(bytesOf(&clean))
	copy(dst[:n], bytesOf(&clean))
	return nil
}

// Decode copies src into *v, once, and checks the copy: src may be memory that
// the peer changes meanwhile. src must have exactly Size bytes. After an error,
// a *ViolationError, *v is the zero value.
func (t Typed[T]) Decode(src []byte, v *T) error {
	if t.layout == nil {
		return fmt.Errorf("typed message of the zero Typed: %w", ErrNotPlain)
	}
	b := bytesOf(v)
	clear(b)
	if len(src) != len(b) {
		return &ViolationError{What: "length of a typed message", Got: uint64(len(src)), Limit: uint64(len(b))}
	}
	err := guardedCopy(b, src)
	if err == nil {
		err = t.layout.check(b)
	}
	if err != nil {
		clear(b)
		return err
	}
	t.layout.clear(b)
	return nil
}
