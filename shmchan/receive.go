package shmchan

import (
	"context"
	"io"
)

// Recv copies the next message into buf, which is grown as bytes arrive if it is
// too small, and releases it. It returns the message and, for the next call,
// its memory. A message in fragments is assembled.
//
// Errors: as Peek's. When a message breaks off in the middle, the rest of it is
// dropped as it comes.
func (c *Consumer) Recv(ctx context.Context, buf []byte) (Header, []byte, error) {
	c.mu.Lock()
	if c.busy || c.reading {
		c.mu.Unlock()
		return Header{}, buf, ErrConcurrentUse
	}
	buf = buf[:0]
	for {
		var f Frame
		err := c.take(ctx, &f)
		if err == nil {
			buf, err = c.collect(&f, buf)
		}
		if err != nil {
			c.lose()
			return Header{}, buf, c.leave(err)
		}
		if f.Last() {
			c.reading = false
			return f.header, buf, c.leave(nil)
		}
		c.reading = true
	}
}

// collect appends a frame's bytes to buf and releases the frame.
func (c *Consumer) collect(f *Frame, buf []byte) ([]byte, error) {
	buf = grow(buf, len(f.data), f.total)
	n := len(buf)
	if f.ring.pair.heap {
		copy(buf[n:n+len(f.data)], f.data)
	} else if err := guardedCopy(buf[n:n+len(f.data)], f.data); err != nil {
		return buf, c.ch.fail(err)
	}
	return buf[:n+len(f.data)], f.ring.release(f.seq)
}

// grow makes room for n more bytes. It at least doubles, but never beyond the
// total: what a peer declares only limits what is granted.
func grow(buf []byte, n int, total int64) []byte {
	need := len(buf) + n
	if need <= cap(buf) {
		return buf
	}
	size := need
	if twice := 2 * int64(cap(buf)); twice > int64(need) {
		size = max(need, int(min(twice, total)))
	}
	bigger := make([]byte, len(buf), size)
	copy(bigger, buf)
	return bigger
}

// lose ends the interest in a message that has begun.
func (c *Consumer) lose() {
	c.reading = false
	if c.message.open {
		c.message.discard = true
	}
}

// Reader reads one message piece by piece.
type Reader struct {
	c      *Consumer
	ctx    context.Context
	header Header
	total  int64
	frame  Frame
	at     int // within frame
	read   int64
	err    error
}

var _ io.ReadCloser = (*Reader)(nil)

// Reader waits for a message to begin and gives a view of it. Until it is
// closed, or read to its end, nobody else may use the consumer.
//
// Errors: as Peek's.
func (c *Consumer) Reader(ctx context.Context) (*Reader, error) {
	c.mu.Lock()
	if c.busy || c.reading {
		c.mu.Unlock()
		return nil, ErrConcurrentUse
	}
	var f Frame
	if err := c.take(ctx, &f); err != nil {
		return nil, c.leave(err)
	}
	c.reading = true
	return &Reader{c: c, ctx: ctx, header: f.header, total: f.total, frame: f}, c.leave(nil)
}

// Header is the message's.
func (r *Reader) Header() Header { return r.header }

// Total is the size of the message as the peer declared it, within the agreed
// maximum. Do not allocate it before the bytes are there.
func (r *Reader) Total() int64 { return r.total }

// Read copies bytes of the message, and gives io.EOF after the last.
func (r *Reader) Read(b []byte) (int, error) {
	if r.err == nil && r.at == len(r.frame.data) {
		r.err = r.next()
	}
	if r.err != nil {
		return 0, r.err
	}
	n := min(len(b), len(r.frame.data)-r.at)
	piece := r.frame
	piece.data = piece.data[r.at:]
	n, err := piece.CopyTo(b[:n])
	if err != nil {
		r.err = err
		return 0, err
	}
	r.at += n
	return n, nil
}

// next releases the frame that was read and takes the one after it.
func (r *Reader) next() error {
	last := r.frame.Last()
	r.c.mu.Lock()
	err := r.frame.ring.release(r.frame.seq)
	r.frame.data, r.at = nil, 0
	if err == nil && !last {
		err = r.c.take(r.ctx, &r.frame)
	}
	if last {
		err = io.EOF
	}
	if err != nil {
		r.frame = Frame{}
		r.c.lose()
	}
	return r.c.leave(err)
}

// Close gives up what was not read.
func (r *Reader) Close() error {
	if r.frame.c == nil {
		return nil
	}
	r.c.mu.Lock()
	err := r.frame.ring.release(r.frame.seq)
	r.frame = Frame{}
	r.c.lose()
	if r.err == nil {
		r.err = ErrReleased
	}
	return r.c.leave(err)
}
