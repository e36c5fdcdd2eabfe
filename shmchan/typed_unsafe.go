package shmchan

import (
	"context"
	"errors"
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
		err = t.layout.accept(b)
	}
	if err != nil {
		clear(b)
	}
	return err
}

// Send waits for room and sends *v as one message.
//
// Errors: those of Reserve, among them ErrTooLarge for a T that is larger than
// half of the ring's data area, and of Commit.
func (t Typed[T]) Send(ctx context.Context, p *Producer, h Header, v *T) error {
	if t.layout == nil {
		return fmt.Errorf("typed message of the zero Typed: %w", ErrNotPlain)
	}
	r, err := p.Reserve(ctx, t.layout.size)
	if err != nil {
		return err
	}
	if err := t.Encode(r.Bytes(), v); err != nil {
		return errors.Join(err, r.Abandon())
	}
	return r.Commit(h)
}

// Recv waits for the next message and copies it into *v, once, before it is
// checked. A message that is no T gives a *ViolationError, is taken from the
// ring all the same, and does not end the channel: what a sandboxed guest
// writes into its messages is its own affair. After an error *v is the zero
// value.
//
// Errors: those of Peek and Release, *ViolationError.
func (t Typed[T]) Recv(ctx context.Context, c *Consumer, v *T) (Header, error) {
	if t.layout == nil {
		return Header{}, fmt.Errorf("typed message of the zero Typed: %w", ErrNotPlain)
	}
	b := bytesOf(v)
	clear(b)
	f, err := c.Peek(ctx)
	if err != nil {
		return Header{}, err
	}
	h := f.Header()
	if f.Len() != len(b) || !f.Last() || f.Offset() != 0 {
		err = &ViolationError{What: "length of a typed message", Got: uint64(f.Total()), Limit: uint64(len(b))}
	} else if _, err = f.CopyTo(b); err == nil {
		err = t.layout.accept(b)
	}
	if released := f.Release(); err == nil {
		err = released
	}
	if err != nil {
		clear(b)
	}
	return h, err
}
