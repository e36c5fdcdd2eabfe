package shmchan

import (
	"context"
	"sync"
	"sync/atomic"
)

// Consumer is the receiving end of a lane. One goroutine at a time may receive:
// a second one gets ErrConcurrentUse if it comes while the first waits, is in
// the middle of a message, or is inside Peek or Recv and hears it come. Calls
// that merely alternate cannot be told from one goroutine's and are served in
// order. Frames may be released by any goroutine, at any time, in any order.
type Consumer struct {
	ch    *Channel
	lane  int
	sleep *sleeper

	turn    oneUser
	mu      sync.Mutex
	ring    *inRing
	busy    bool // somebody waits with mu unlocked
	reading bool // a Reader or a Recv is in the middle of a message
	message assembly
	fill    fillGauge
	traffic traffic
	waits   Histogram
	holds   Histogram
	held    Frame       // pulled, but the peer is over its rate
	unpaid  bool        // something was charged to the peer without asking the rate
	old     []*inRing   // of earlier epochs, with frames still borrowed
	drained atomic.Bool // the peer has closed, and all it sent was taken
}

// Frame is one message, or one fragment of a large one, where the peer wrote
// it. Until Release its bytes are borrowed: the peer's program may not reuse
// them. A hostile peer can still change them at any moment, so whoever decides
// on them copies first (CopyTo) and decides on the copy.
//
// A Frame is a small value; copies stand for the same loan.
type Frame struct {
	c      *Consumer
	ring   *inRing
	seq    uint64
	at     uint64
	data   []byte
	header Header
	offset int64
	total  int64
}

// Header is what the sender passed to Commit, unchecked.
func (f Frame) Header() Header { return f.header }

// Sequence is the frame's number within its epoch: 1 for the first.
func (f Frame) Sequence() uint64 { return f.seq }

// Bytes is the borrowed memory. It must not be touched after Release; after a
// Close as well it may be unmapped. On memory that a hostile peer backs, use
// Read or CopyTo, which turn a fault into an error.
func (f Frame) Bytes() []byte { return f.data }

// Len is the number of bytes in this frame.
func (f Frame) Len() int { return len(f.data) }

// Total is the size of the whole message; equal to Len unless the message is
// in fragments.
func (f Frame) Total() int64 { return f.total }

// Offset is where this frame's bytes lie in the whole message.
func (f Frame) Offset() int64 { return f.offset }

// Last reports whether the message ends with this frame.
func (f Frame) Last() bool { return f.offset+int64(len(f.data)) == f.total }

// CopyTo copies the bytes out and returns how many; fewer than Len if dst is
// shorter. Memory that the peer took away is a *ViolationError, not a crash.
func (f Frame) CopyTo(dst []byte) (int, error) {
	n := min(len(dst), len(f.data))
	if f.ring == nil || f.ring.pair.heap {
		return copy(dst, f.data), nil
	}
	if err := guardedCopy(dst[:n], f.data[:n]); err != nil {
		return 0, f.c.ch.fail(err)
	}
	return n, nil
}

// Read calls read with the borrowed bytes and returns its error. Memory that the
// peer took away ends the channel with a *ViolationError and is no crash. read
// must not keep the slice.
func (f Frame) Read(read func([]byte) error) error {
	returned := false
	err := guarded(f.data, func(b []byte) error {
		err := read(b)
		returned = true
		return err
	})
	if err != nil && !returned { // a fault: no error of read's
		return f.c.ch.fail(err)
	}
	return err
}

// Release gives the bytes back to the peer.
//
// Errors: ErrReleased.
func (f Frame) Release() error {
	c := f.c
	if c == nil {
		return ErrReleased
	}
	c.mu.Lock()
	err := f.ring.release(f.seq)
	if f.ring.left {
		f.ring.dropIfDone()
	}
	if c.fill.level == 0 {
		c.mu.Unlock()
		return err
	}
	e, tell := c.filled()
	c.mu.Unlock()
	if tell {
		c.ch.config.OnFill(e)
	}
	return err
}

// Peek borrows the next frame and waits for it until ctx ends. The context is
// looked at only when there is something to wait for or to be dropped, and between
// the fragments of a message. A message in fragments
// comes as several frames, whose Offset, Total and Last say where each belongs.
//
// Errors: the context's (with ErrTimeout for a deadline), ErrAborted,
// ErrConcurrentUse, and what ended the channel.
func (c *Consumer) Peek(ctx context.Context) (f Frame, err error) {
	if err := c.enter(); err != nil {
		return Frame{}, err
	}
	err = c.take(ctx, &f)
	c.turn.hear()
	return f, c.leave(err)
}

// Forget stops watching the context of the last wait, which is else kept for the
// next one. When a watched context ends, a goroutine of its own finds that out, and
// wakes a thread that takes a CPU from the peer: whoever has a context for each
// exchange, and ends it afterwards, calls this in between. It must not be called while
// another goroutine receives.
func (c *Consumer) Forget() { c.sleep.forget() }

// enter takes mu for one that receives.
func (c *Consumer) enter() error {
	if err := c.turn.enter(&c.mu); err != nil {
		return err
	}
	if c.busy || c.reading {
		c.mu.Unlock()
		return ErrConcurrentUse
	}
	return nil
}

// take is Peek for a caller that holds mu. It may unlock mu while it waits,
// with busy set. f is set only when there is no error.
func (c *Consumer) take(ctx context.Context, f *Frame) error {
	for {
		if c.ch.attention.Load()&attendEnd != 0 {
			return c.ch.reason()
		}
		if c.held.c != nil {
			return c.admit(ctx, f)
		}
		if c.unpaid {
			if err := c.collectDebt(ctx); err != nil {
				return err
			}
		}
		if c.message.open && ctx.Err() != nil {
			return contextError(ctx) // else crumbs without end would outlast it
		}
		r := c.ring
		if r.next == r.head {
			if err := c.arrive(ctx); err != nil {
				return err
			}
		}
		var raw frame
		if err := r.pull(&raw); err != nil {
			return c.ch.fail(err)
		}
		got := Frame{c: c, ring: r, seq: r.next, header: raw.header}
		if raw.data() {
			got.data, got.at = r.bytes(&raw), raw.offset
		}
		if raw.flags == 0 && !c.message.open {
			got.total = int64(len(got.data))
		} else if again, err := c.assemble(&raw, &got); again || err != nil {
			c.charge(&raw)
			if err == nil && c.message.discard {
				err = c.breathe(ctx)
			}
			if err != nil {
				return err
			}
			continue
		}
		if c.ch.limit != nil {
			c.held = got
			return c.admit(ctx, f)
		}
		c.traffic.count(len(got.data))
		*f = got
		return nil
	}
}

// arrive waits until the peer has published something.
func (c *Consumer) arrive(ctx context.Context) error {
	r := c.ring
	if err := r.look(); err != nil {
		return c.ch.fail(err)
	}
	if r.next < r.head {
		return nil
	}
	// A peer that answers at once is caught here, before the clock is read.
	for range c.ch.glance {
		if r.peerHead.Load() != r.head {
			if err := r.look(); err != nil {
				return c.ch.fail(err)
			}
			if r.next < r.head {
				return nil
			}
		}
	}
	return c.wait(ctx)
}

func (c *Consumer) wait(ctx context.Context) error {
	r := c.ring
	began := nanotime()
	var deadline int64
	if c.message.open { // the peer owes the rest
		deadline = began + int64(c.ch.timeout)
	}
	for {
		if c.ch.attention.Load()&attendEnd != 0 {
			return c.ch.reason()
		}
		if r.gone {
			c.drained.Store(true)
			return c.ch.peerClosed()
		}
		why := c.await(ctx, r, deadline)
		if err := r.look(); err != nil {
			return c.ch.fail(err)
		}
		switch {
		case r.next < r.head:
			c.waits.Record(nanotime() - began)
			return nil
		case why == timeout:
			return errStalled
		case why == cancelled:
			return contextError(ctx)
		}
	}
}

// await sleeps until the peer's head moves, with mu unlocked, so that frames
// can be released meanwhile.
func (c *Consumer) await(ctx context.Context, r *inRing, deadline int64) reason {
	seen := r.head
	if r.gone {
		seen ^= closedMark
	}
	c.busy = true
	c.mu.Unlock()
	why := c.sleep.await(ctx, event{word: r.peerHead, parked: r.parked}, seen, deadline)
	c.mu.Lock()
	c.busy = false
	return why
}

// leave unlocks mu. Whoever leaves a channel that has ended lets go of the
// memory; the last one unmaps it.
func (c *Consumer) leave(err error) error {
	e, tell := c.filled()
	if c.ch.attention.Load()&attendEnd != 0 {
		c.letGo()
	}
	c.mu.Unlock()
	if tell {
		c.ch.config.OnFill(e)
	}
	return err
}

// letGo gives up the ring of a channel that has ended, as soon as nothing of it
// is in use.
//
// Preconditions: mu is held.
func (c *Consumer) letGo() {
	c.ring.close()
	if c.busy {
		return // the one who waits comes by here
	}
	c.giveHeldBack()
	c.ring.left = true
	c.ring.dropIfDone()
}
