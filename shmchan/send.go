package shmchan

import (
	"context"
	"io"
)

// fragmentMax keeps a fragment within a processor's second-level cache, so that
// the reader finds the end of it still warm.
const fragmentMax = 256 << 10

// Send copies a message into the ring. One larger than half the data area goes
// in fragments, as the peer makes room for them; the peer sees nothing of the
// next message before the last of them.
//
// Errors: as Reserve's. When a message in fragments breaks off, the peer is told
// before the next message.
func (p *Producer) Send(ctx context.Context, h Header, b []byte) error {
	p.mu.Lock()
	if p.writing || p.busy {
		p.mu.Unlock()
		return ErrConcurrentUse
	}
	if p.ch.attention.Load() != 0 { // a switch may change what is large
		if err := p.attend(ctx); err != nil {
			return p.leave(err)
		}
	}
	if int64(len(b)) > p.ring.geo.largestFrame() {
		return p.leave(p.sendFragments(ctx, h, b))
	}
	e, err := p.reserve(ctx, len(b))
	if err != nil {
		return p.leave(err)
	}
	r := p.ring
	copy(r.data[e.start:e.start+e.length], b)
	e.header = packHeader(h, 0)
	e.state = entryReady
	r.open--
	p.traffic.count(len(b))
	r.advance()
	r.show()
	if p.filling() {
		return p.leaveFilling()
	}
	return p.leave(nil)
}

func (p *Producer) sendFragments(ctx context.Context, h Header, b []byte) error {
	if err := p.begin(ctx, h, int64(len(b))); err != nil {
		return err
	}
	for rest := b; len(rest) > 0; {
		n, err := p.fragment(ctx, h, rest, len(rest))
		if err != nil {
			p.breakOff()
			return err
		}
		rest = rest[n:]
	}
	p.writing = false
	return nil
}

// begin announces a message in fragments.
//
// Preconditions of this and the three below: mu is held.
func (p *Producer) begin(ctx context.Context, h Header, total int64) error {
	if total > p.ring.geo.maxMessage {
		return &TooLargeError{Got: total, Max: p.ring.geo.maxMessage}
	}
	if p.ring.open > 0 {
		// Its fragments would have to wait for the reservation, and it for them.
		return ErrConcurrentUse
	}
	if p.ch.attention.Load() != 0 || p.owed {
		if err := p.attend(ctx); err != nil {
			return err
		}
	}
	if err := p.control(ctx, flagTotal, uint64(total), h); err != nil {
		return err
	}
	p.writing = true
	return nil
}

// fragment sends the head of b and returns how much; left is what the whole
// message still lacks.
func (p *Producer) fragment(ctx context.Context, h Header, b []byte, left int) (int, error) {
	// A Writer may come back after the channel has ended, when nothing of the
	// ring is mapped any more.
	if p.ch.attention.Load()&attendEnd != 0 {
		return 0, p.ch.reason()
	}
	r := p.ring
	n := min(len(b), fragmentMax, len(r.data)/4)
	if err := r.look(); err != nil {
		return 0, p.ch.fail(err)
	}
	start, ok := r.fits(uint64(n))
	if !ok {
		var err error
		if start, err = p.room(ctx, uint64(n)); err != nil {
			return 0, err
		}
	}
	if p.ch.attention.Load()&attendEnd != 0 {
		return 0, p.ch.reason()
	}
	e := r.take(start, uint64(n), uint64(n))
	copy(r.data[e.start:e.start+e.length], b)
	f := flagMore
	if n == left {
		f = 0
	}
	e.header = packHeader(h, f)
	e.state = entryReady
	r.open--
	p.traffic.count(n)
	r.advance()
	r.show()
	return n, nil
}

// breakOff tells the peer that the rest will not come: now if there is a free
// slot, else before the next message.
func (p *Producer) breakOff() {
	p.writing = false
	if p.ch.attention.Load()&attendEnd != 0 {
		return
	}
	if start, ok := p.ring.fits(0); ok {
		p.ring.put(start, flagAbort, 0, Header{})
		return
	}
	p.owed = true
}

// Writer sends one message of a known size piece by piece.
type Writer struct {
	p    *Producer
	ctx  context.Context
	h    Header
	left int64
	err  error
	done bool
}

var _ io.WriteCloser = (*Writer)(nil)

// Writer begins a message of total bytes. Until it is closed, nobody else may
// use the producer. The peer sees pieces as they are written.
func (p *Producer) Writer(ctx context.Context, h Header, total int64) (*Writer, error) {
	if total < 0 {
		return nil, &TooLargeError{Got: total, Max: p.ring.geo.maxMessage}
	}
	p.mu.Lock()
	if p.writing || p.busy {
		p.mu.Unlock()
		return nil, ErrConcurrentUse
	}
	if total > 0 {
		if err := p.begin(ctx, h, total); err != nil {
			return nil, p.leave(err)
		}
	}
	return &Writer{p: p, ctx: ctx, h: h, left: total}, p.leave(nil)
}

// Write sends b, or as much of it as was announced.
//
// Errors: io.ErrShortWrite past the announced total; after any other the message
// is lost, and the peer is told.
func (w *Writer) Write(b []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	if w.done {
		return 0, ErrCommitted
	}
	short := int64(len(b)) > w.left
	if short {
		b = b[:w.left]
	}
	w.p.mu.Lock()
	written := 0
	for written < len(b) && w.err == nil {
		var n int
		if n, w.err = w.p.fragment(w.ctx, w.h, b[written:], int(w.left)); w.err == nil {
			written += n
			w.left -= int64(n)
		}
	}
	if w.err == nil && short {
		return written, w.p.leave(io.ErrShortWrite)
	}
	return written, w.p.leave(w.err)
}

// Close ends the message. Closed before all announced bytes were written, it
// tells the peer that the message is void, and returns io.ErrUnexpectedEOF.
func (w *Writer) Close() error {
	if w.done {
		return nil
	}
	w.done = true
	if w.left == 0 && w.err == nil {
		return w.finish()
	}
	w.p.mu.Lock()
	w.p.breakOff()
	if w.err != nil {
		return w.p.leave(w.err)
	}
	return w.p.leave(io.ErrUnexpectedEOF)
}

func (w *Writer) finish() error {
	w.p.mu.Lock()
	if !w.p.writing { // announced as empty: an ordinary message
		w.p.mu.Unlock()
		return w.p.Send(w.ctx, w.h, nil)
	}
	w.p.writing = false
	return w.p.leave(nil)
}
