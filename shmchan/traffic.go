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

// fillWatch is the percentage from which on the fill is worth a closer look.
const fillWatch = 70

// filling reports whether the data area may be near a level, or has to come
// down from one. The fill is known only as of the last look at the peer's tail,
// and never less than it is.
func (p *Producer) filling() bool {
	r := p.ring
	return p.ch.config.OnFill != nil && (p.fill.level != 0 || r.live.used(uint64(len(r.data)))*100 >= uint64(len(r.data))*fillWatch)
}

// leaveFilling looks closer, unlocks mu, and tells OnFill.
func (p *Producer) leaveFilling() error {
	r := p.ring
	if err := r.look(); err != nil {
		return p.leave(p.ch.fail(err))
	}
	used, size := int64(r.live.used(uint64(len(r.data)))), int64(len(r.data))
	level, changed := p.fill.observe(used, size, nanotime())
	err := p.leave(nil)
	if changed {
		p.ch.config.OnFill(FillEvent{Lane: p.lane, Outbound: true, Level: level, Used: used, Size: size})
	}
	return err
}
