package shmchan

import (
	"context"
	"time"
)

// traffic counts what went through one end of a ring. It is written under the
// end's mutex. Sizes are counted in runs: most traffic repeats itself, and a
// histogram costs three atomic operations a value.
type traffic struct {
	messages, bytes uint64
	size            int
	run             uint64
	sizes           Histogram
}

func (t *traffic) count(n int) {
	t.messages++
	t.bytes += uint64(n)
	if n == t.size {
		t.run++
		return
	}
	t.flush()
	t.size, t.run = n, 1
}

func (t *traffic) flush() {
	if t.run > 0 {
		t.sizes.recordN(int64(t.size), t.run)
		t.run = 0
	}
}

// recordN counts a value n times.
func (h *Histogram) recordN(v int64, n uint64) {
	h.Record(v)
	if n--; n > 0 {
		h.counts[bucketOf(v)].Add(n)
		h.sum.Add(uint64(v) * n)
	}
}

// admit holds a frame back for as long as the peer is over its rate. The frame
// stays in the consumer meanwhile, so that a context that ends loses nothing.
func (c *Consumer) admit(ctx context.Context, f *Frame) error {
	for {
		wait := c.ch.limit.admit(int64(len(c.held.data)))
		if wait == 0 {
			*f, c.held = c.held, Frame{}
			c.traffic.count(len(f.data))
			return nil
		}
		if err := c.pause(ctx, wait); err != nil {
			return err
		}
	}
}

// charge counts a descriptor that no reader is given against the rate: a
// prologue, an abort, a fragment of a message nobody wants any more. Nothing else
// would slow a peer that sends only such. It is charged when it is there already,
// so it is paid for before the next descriptor is taken.
func (c *Consumer) charge(raw *frame) {
	if c.ch.limit != nil {
		c.ch.limit.charge(int64(raw.length))
		c.unpaid = true
	}
}

// collectDebt waits until what was charged is paid for.
func (c *Consumer) collectDebt(ctx context.Context) error {
	for {
		wait := c.ch.limit.debt()
		if wait == 0 {
			c.unpaid = false
			return nil
		}
		if err := c.pause(ctx, wait); err != nil {
			return err
		}
	}
}

// giveHeldBack releases a frame that was held back and that nobody will get.
//
// Preconditions: mu is held, nobody waits.
func (c *Consumer) giveHeldBack() {
	if c.held.c != nil {
		_ = c.held.ring.release(c.held.seq) // it is borrowed: pull made it so
		c.held = Frame{}
	}
}

// pause waits with mu unlocked.
func (c *Consumer) pause(ctx context.Context, d time.Duration) error {
	c.busy = true
	c.mu.Unlock()
	t := time.NewTimer(d)
	var err error
	select {
	case <-t.C:
	case <-c.ch.done:
		err = c.ch.reason()
	case <-ctx.Done():
		err = contextError(ctx)
	}
	t.Stop()
	c.mu.Lock()
	c.busy = false
	return err
}
