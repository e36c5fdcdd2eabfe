package shmchan

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
)

// exercise drives one end of a lane with every operation there is, in random
// order and sizes. What it sends can be checked byte for byte by whoever knows
// the seed: message i is a piece of one pool, at a place that follows from i.
type exercise struct {
	rng     *rand.Rand
	pool    []byte
	ring    RingConfig
	note    func(activity) // told before each step; a crash test wants to know
	sent    uint32         // messages that were begun
	sending func([]byte)   // told what each of them holds; may be nil
	buf     []byte
	held    []Frame
	mid     bool // a message was begun by Peek and a timeout came before its end
}

// activity is what an end is about to do, or in the middle of.
type activity byte

const (
	attaching activity = iota // not attached yet
	reserving                 // in Reserve, perhaps waiting for room
	filling                   // between Reserve and Commit
	batching                  // several reservations open
	sending                   // in Send, perhaps between two fragments
	piecemeal                 // between two writes of one message
	receiving                 // in Recv or Peek, perhaps waiting
	borrowing                 // between Peek and Release
	streaming                 // between two reads of one message
	activities
)

var activityNames = [activities]string{"attaching", "reserving", "filling", "batching", "sending", "piecemeal", "receiving", "borrowing", "streaming"}

func (a activity) String() string { return activityNames[a] }

const (
	kindData = 1
	kindLast = 2 // hammer: no more will come
)

func exerciseRing() RingConfig {
	return RingConfig{Data: 4 * MinData, Slots: 32, MaxMessage: 1 << 20}
}

func newExercise(seed uint64, pool []byte, note func(activity)) *exercise {
	return &exercise{rng: rand.New(rand.NewPCG(seed, seed)), pool: pool, ring: exerciseRing(), note: note}
}

// newPool is the same random bytes in every process that has the seed.
func newPool(seed uint64) []byte {
	var key [32]byte
	key[0] = byte(seed)
	pool := make([]byte, 4<<20)
	_, _ = rand.NewChaCha8(key).Read(pool) // never fails
	return pool
}

// content is what message i holds, if it is n bytes long.
func (x *exercise) content(i uint32, n int) []byte {
	at := int(uint64(i)*0x9e3779b97f4a7c15>>40) % (len(x.pool) - int(x.ring.MaxMessage))
	return x.pool[at : at+n]
}

// size picks small, page-sized and large messages alike.
func (x *exercise) size(most int) int {
	n := []int{0, 64, 4096, 64 << 10, most}[x.rng.IntN(5)]
	return x.rng.IntN(min(n, most) + 1)
}

func (x *exercise) next(n int) (Header, []byte) {
	h := Header{Kind: kindData, Call: x.sent}
	b := x.content(x.sent, n)
	x.sent++
	if x.sending != nil {
		x.sending(b)
	}
	return h, b
}

// send sends one message, or a few, and gives the number of bytes.
func (x *exercise) send(ctx context.Context, p *Producer) (int, error) {
	largest := int(x.ring.Data / 2)
	switch x.rng.IntN(5) {
	case 0:
		n := x.size(int(x.ring.MaxMessage))
		x.note(sending)
		h, b := x.next(n)
		return n, p.Send(ctx, h, b)
	case 1:
		return x.inPieces(ctx, p, x.size(int(x.ring.MaxMessage)))
	case 2:
		return x.batch(ctx, p)
	case 3: // nothing comes of it
		x.note(reserving)
		r, err := p.Reserve(ctx, x.size(largest))
		if err != nil {
			return 0, err
		}
		x.note(filling)
		clear(r.Bytes())
		return 0, r.Abandon()
	}
	n := x.size(largest)
	x.note(reserving)
	r, err := p.Reserve(ctx, n)
	if err != nil {
		return 0, err
	}
	x.note(filling)
	h, b := x.next(n)
	copy(r.Bytes(), b)
	return n, r.Commit(h)
}

func (x *exercise) inPieces(ctx context.Context, p *Producer, n int) (int, error) {
	x.note(sending)
	h, b := x.next(n)
	w, err := p.Writer(ctx, h, int64(n))
	if err != nil {
		return 0, err
	}
	for len(b) > 0 {
		x.note(piecemeal)
		piece := 1 + x.rng.IntN(len(b))
		if _, err := w.Write(b[:piece]); err != nil {
			return 0, errors.Join(err, w.Close())
		}
		b = b[piece:]
	}
	return n, w.Close()
}

func (x *exercise) batch(ctx context.Context, p *Producer) (sum int, err error) {
	var rs []Reservation
	var headers []Header
	for range 1 + x.rng.IntN(4) {
		n := x.size(int(x.ring.Data / 16))
		x.note(reserving)
		r, err := p.Reserve(ctx, n)
		if err != nil {
			for _, r := range rs {
				_ = r.Abandon()
			}
			return 0, err
		}
		x.note(batching)
		sum += n
		rs = append(rs, r)
	}
	for _, r := range rs {
		h, b := x.next(len(r.Bytes()))
		copy(r.Bytes(), b)
		headers = append(headers, h)
	}
	return sum, p.CommitN(rs, headers)
}

// receive takes one message, or a few, and gives each to got, in order.
func (x *exercise) receive(ctx context.Context, c *Consumer, got func(Header, []byte) error) error {
	x.note(receiving)
	if x.mid {
		return x.rest(ctx, c, got)
	}
	switch x.rng.IntN(3) {
	case 0:
		h, b, err := c.Recv(ctx, x.buf)
		if err != nil {
			return err
		}
		x.buf = b
		return x.check(h, b, got)
	case 1:
		return x.stream(ctx, c, got)
	}
	return x.borrow(ctx, c, got)
}

func (x *exercise) stream(ctx context.Context, c *Consumer, got func(Header, []byte) error) error {
	r, err := c.Reader(ctx)
	if err != nil {
		return err
	}
	x.buf = slices.Grow(x.buf[:0], int(x.ring.MaxMessage)+1)[:x.ring.MaxMessage+1]
	total := 0
	for {
		x.note(streaming)
		n, err := r.Read(x.buf[total:min(total+1+x.rng.IntN(1<<18), len(x.buf))])
		total += n
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil && total == len(x.buf) {
			err = fmt.Errorf("message %d is longer than agreed", r.Header().Call)
		}
		if err != nil {
			return errors.Join(err, r.Close())
		}
	}
	if err := r.Close(); err != nil {
		return err
	}
	return x.check(r.Header(), x.buf[:total], got)
}

// borrow reads in place. Of frames that are there already it borrows a few at a
// time and returns them in any order; it never waits for one while it has
// another, since the room that the peer waits for may be what it has.
func (x *exercise) borrow(ctx context.Context, c *Consumer, got func(Header, []byte) error) error {
	patience := ctx
	for want := 1 + x.rng.IntN(4); len(x.held) < want; patience = ended {
		f, err := c.Peek(patience)
		if errors.Is(err, context.Canceled) && len(x.held) > 0 {
			break
		} else if err != nil {
			return errors.Join(err, x.giveBack())
		}
		x.note(borrowing)
		x.held = append(x.held, f)
		if err := x.checkFrame(f, got); err != nil {
			return errors.Join(err, x.giveBack())
		}
		if !f.Last() {
			return x.rest(ctx, c, got)
		}
		if f.Header().Kind == kindLast {
			break // the peer may be gone by now, which is no error
		}
	}
	return x.giveBack()
}

// rest takes the other frames of a message that has begun.
func (x *exercise) rest(ctx context.Context, c *Consumer, got func(Header, []byte) error) error {
	for x.mid = true; x.mid; {
		if err := x.giveBack(); err != nil {
			return err
		}
		f, err := c.Peek(ctx)
		if errors.Is(err, ErrAborted) {
			x.mid = false
		}
		if err != nil {
			return err
		}
		x.note(borrowing)
		x.held = append(x.held, f)
		if err := x.checkFrame(f, got); err != nil {
			return errors.Join(err, x.giveBack())
		}
		x.mid = !f.Last()
	}
	return x.giveBack()
}

// giveBack releases what is held, in any order. While it was borrowed nobody
// may have written to it.
func (x *exercise) giveBack() error {
	x.rng.Shuffle(len(x.held), func(i, j int) { x.held[i], x.held[j] = x.held[j], x.held[i] })
	var errs []error
	for _, f := range x.held {
		errs = append(errs, x.checkFrame(f, nil), f.Release())
	}
	x.held = x.held[:0]
	return errors.Join(errs...)
}

func (x *exercise) checkFrame(f Frame, got func(Header, []byte) error) error {
	if f.Header().Kind == kindLast {
		if got == nil {
			return nil
		}
		return got(f.Header(), f.Bytes())
	}
	at := int(f.Offset())
	if f.Total() > x.ring.MaxMessage {
		return fmt.Errorf("message %d: total of %d bytes", f.Header().Call, f.Total())
	}
	want := x.content(f.Header().Call, int(f.Total()))
	if !bytes.Equal(f.Bytes(), want[at:at+f.Len()]) {
		return fmt.Errorf("message %d of %d bytes: wrong bytes in the frame at %d", f.Header().Call, f.Total(), at)
	}
	if got == nil || !f.Last() {
		return nil
	}
	return got(f.Header(), want)
}

// check compares a message that was copied out.
func (x *exercise) check(h Header, b []byte, got func(Header, []byte) error) error {
	if h.Kind != kindLast && !bytes.Equal(b, x.content(h.Call, len(b))) {
		return fmt.Errorf("message %d of %d bytes: wrong bytes", h.Call, len(b))
	}
	return got(h, b)
}

// ended is a context with which Peek takes only what is there.
var ended = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()
