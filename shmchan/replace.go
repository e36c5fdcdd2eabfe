package shmchan

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// Moving to other memory takes two calls, one on each side, with the hand-over
// of two files between them:
//
//	creator:  o, err := ch.Prepare(larger)    // o.Files() go to the peer
//	attacher: err := ch.Adopt(files, larger)
//
// From Adopt on, each producer of the attacher ends its old ring with a switch
// descriptor at the next message boundary and goes on in the new memory; a
// consumer that meets the descriptor follows. The first one the creator meets
// tells it that its peer has the new memory, and its own producers follow suit.
// A ring's order is kept, since the switch is the last descriptor of the old
// ring; nothing is copied; frames that are borrowed keep the old memory mapped
// until they are released.
//
// Until the peer has begun to move, the creator can take the memory back with
// Cancel; afterwards it can wait with Moved until the old memory is free.

// ErrReplacing means that the channel is still moving to other memory.
var ErrReplacing = errors.New("shmchan: the channel is moving to other memory already")

// Prepare makes the memory that the channel will move to. Lanes keep their
// number; the rest of config besides Lanes and HugePages is ignored. The
// Offer's files go to the peer, which passes them to Adopt; the move then takes
// place as messages flow.
//
// Errors: ErrConfig, ErrReplacing, what ended the channel, or the system's.
func (c *Channel) Prepare(config Config) (*Offer, error) {
	g, err := c.successor(&config)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	creator, heap, epoch := c.pair.creator, c.pair.heap, c.pair.epoch+1
	c.mu.Unlock()
	if !creator {
		return nil, fmt.Errorf("%w: only the creator prepares new memory", ErrConfig)
	}
	o := &Offer{channel: c}
	var p *pair
	if heap {
		p, o.pair = pipePairs(g, epoch)
	} else {
		out, in, files, err := createFiles(g, epoch)
		if err != nil {
			return nil, err
		}
		o.files = files
		p = newPair(epoch, true, g, out, in)
	}
	if err := c.setNext(p); err != nil {
		_ = o.Close()
		return nil, err
	}
	o.next = p
	return o, nil
}

// Cancel takes back memory that Prepare made and unmaps it here; another Prepare
// may follow. A peer that moves to it afterwards ends the channel with a
// *ViolationError. The offer's files stay to be closed. After the end of the channel,
// which takes the memory back as well, Cancel does nothing.
//
// Errors: ErrReplacing if the peer has begun to move, which cannot be undone.
func (c *Channel) Cancel(o *Offer) error {
	// A consumer that meets the peer's switch goes to the new memory with its lock
	// held: with all of them held here, none is on its way.
	for _, l := range c.lanes {
		l.consumer.mu.Lock()
		defer l.consumer.mu.Unlock()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.err != nil:
		return nil
	case c.next == nil || c.next != o.next || c.moved > 0:
		return ErrReplacing
	}
	c.next = nil
	o.next.discard()
	return nil
}

// Moved waits until every ring end of this side uses the memory that was prepared
// and so, since a consumer moves when the peer's producer has, those of the peer that
// write. It may be called while others send and receive; a lane that nobody receives
// on does not move.
//
// Errors: the context's (with ErrTimeout for a deadline), and what ended the channel.
func (c *Channel) Moved(ctx context.Context) error {
	for {
		c.mu.Lock()
		moving, err := c.next != nil, c.err
		if moving && c.step == nil {
			c.step = make(chan struct{})
		}
		step := c.step
		c.mu.Unlock()
		if err != nil || !moving {
			return err
		}
		c.switchProducers()
		select {
		case <-step:
		case <-c.done:
		case <-ctx.Done():
			return contextError(ctx)
		}
	}
}

// Adopt takes the new memory that the creator prepared; config is the one given
// to Prepare. The files are the caller's to close.
//
// Errors: as Attach's, ErrReplacing, what ended the channel.
func (c *Channel) Adopt(files [2]*os.File, config Config) error {
	if _, err := c.successor(&config); err != nil {
		return err
	}
	p, err := attachPair(files, &config)
	if err != nil {
		return err
	}
	return c.adopt(p)
}

// AdoptPipe is Adopt for the other end of a Pipe.
func (c *Channel) AdoptPipe(o *Offer) error {
	if o.pair == nil || !o.pair.heap || o.pair.creator {
		return fmt.Errorf("%w: the offer was not prepared by the other end of a pipe", ErrConfig)
	}
	return c.adopt(o.pair)
}

func (c *Channel) adopt(p *pair) error {
	if want := c.Epoch() + 1; p.epoch != want {
		p.discard()
		return &ViolationError{What: "epoch in the header (must follow without a gap)", Got: p.epoch, Limit: want}
	}
	if err := c.setNext(p); err != nil {
		return err
	}
	c.mu.Lock()
	c.attention.Or(attendSwitch)
	c.mu.Unlock()
	c.switchProducers()
	return nil
}

// switchProducers moves the producers that are between messages; the others move
// before their next.
func (c *Channel) switchProducers() {
	for _, l := range c.lanes {
		p := &l.producer
		p.mu.Lock()
		p.trySwitch()
		p.mu.Unlock()
	}
}

func (c *Channel) successor(config *Config) (*geometry, error) {
	*config = config.withDefaults()
	if len(config.Lanes) != len(c.lanes) {
		return nil, fmt.Errorf("%w: %d lanes (the channel has %d)", ErrConfig, len(config.Lanes), len(c.lanes))
	}
	return config.geometry()
}

func (c *Channel) setNext(p *pair) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.err
	if err == nil && c.next != nil {
		err = ErrReplacing
	}
	if err != nil {
		p.discard()
		return err
	}
	c.next, c.moved = p, 0
	return nil
}

// beginSwitch lets the producers move, those that are idle at once. The caller may
// hold the lock of a consumer, so that a producer in use is left to its user.
func (c *Channel) beginSwitch() {
	c.mu.Lock()
	moving := c.next != nil
	if moving {
		c.attention.Or(attendSwitch)
	}
	c.mu.Unlock()
	if !moving {
		return
	}
	for _, l := range c.lanes {
		if p := &l.producer; p.mu.TryLock() {
			p.trySwitch()
			p.mu.Unlock()
		}
	}
}

// upcoming is the pair to move to, unless the ring end is there already.
func (c *Channel) upcoming(from *pair) *pair {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next == nil || c.next == from || c.err != nil {
		return nil
	}
	return c.next
}

// arrived counts a ring end that has moved; the last one ends the move.
func (c *Channel) arrived(p *pair) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next != p {
		return // ended meanwhile
	}
	if c.moved++; c.moved == 2*len(c.lanes) {
		c.pair, c.next = p, nil
		c.attention.And(^uint32(attendSwitch))
	}
	if c.step != nil {
		close(c.step)
		c.step = nil
	}
}

func (p *Producer) mustSwitch() bool {
	return p.ch.attention.Load()&attendSwitch != 0 && p.ch.upcoming(p.ring.pair) != nil
}

// trySwitch moves the producer if it is between messages and has a free slot
// for the switch descriptor.
//
// Preconditions: mu is held.
func (p *Producer) trySwitch() {
	if p.busy || p.writing || p.owed || p.ring.open > 0 || p.ch.attention.Load()&attendSwitch == 0 {
		return
	}
	next := p.ch.upcoming(p.ring.pair)
	if next == nil {
		return
	}
	if _, ok := p.ring.fits(0); !ok {
		if p.ring.look() != nil { // the next operation reports it
			return
		}
		if _, ok = p.ring.fits(0); !ok {
			return
		}
	}
	old := p.ring
	old.put(old.live.hi, flagSwitch, 0, Header{})
	p.ring = newOutRing(next, p.lane)
	p.fill = fillGauge{}
	old.drop()
	p.ch.arrived(next)
}

// follow moves the consumer to the memory that the peer's producer has moved
// to. A switch that was not prepared has nowhere to go: a violation.
//
// Preconditions: mu is held; the switch is the descriptor last pulled.
func (c *Consumer) follow() error {
	old := c.ring
	next := c.ch.upcoming(old.pair)
	if next == nil {
		if err := c.ch.Err(); err != nil {
			return err
		}
		return c.ch.fail(&ViolationError{What: "switch to an epoch that was not prepared", Got: old.epoch + 1, Limit: old.epoch})
	}
	old.skip()
	if old.head != old.next {
		return c.ch.fail(&ViolationError{What: "head (beyond the switch, which is an epoch's last)", Got: old.head, Limit: old.next})
	}
	c.ring = newInRing(next, c.lane, &c.holds)
	c.fill = fillGauge{}
	old.left = true
	c.keep(old)
	old.dropIfDone()
	c.ch.beginSwitch() // before Moved hears of it, which tries again
	c.ch.arrived(next)
	return nil
}

// keep remembers rings of earlier epochs for the ledger, until all is back.
func (c *Consumer) keep(old *inRing) {
	n := 0
	for _, r := range c.old {
		if !r.dropped {
			c.old[n] = r
			n++
		}
	}
	clear(c.old[n:])
	c.old = append(c.old[:n], old)
}

// discard unmaps a pair that no ring end has ever used.
func (p *pair) discard() {
	_ = p.out.close()
	_ = p.in.close()
}
