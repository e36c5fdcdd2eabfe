package shmchan

// A peer that closes in order has usually said something last, on any lane. So
// the first ring end to notice gets ErrPeerClosed for itself, and the channel
// ends once nothing is left to be read.

// allRead reports whether every lane has been read to its end. A consumer that
// is in use is not asked: it comes by here itself when it finds nothing more.
//
// Preconditions: the peer has closed. The caller may hold the lock of one ring
// end, so others are only tried. Of two consumers that try each other, both
// have set drained before.
func (c *Channel) allRead() bool {
	for _, l := range c.lanes {
		k := &l.consumer
		if k.drained.Load() {
			continue
		}
		if !k.mu.TryLock() {
			return false
		}
		read := k.read()
		k.mu.Unlock()
		if !read {
			return false
		}
	}
	return true
}

// read reports whether the peer has published nothing more than was given to a
// reader. The head may lie: the channel then ends a little sooner or later.
//
// Preconditions: mu is held.
func (c *Consumer) read() bool {
	r := c.ring
	return c.held.c == nil && (r.dropped || counted(r.peerHead.Load()) == r.next)
}

// counted is the counter in a head or tail.
func counted(word uint64) uint64 {
	if word&closedBit != 0 {
		word ^= closedMark
	}
	return word
}

// peerClosed is what a ring end returns that found its peer gone.
func (c *Channel) peerClosed() error {
	if c.allRead() {
		return c.fail(ErrPeerClosed)
	}
	if err := c.Err(); err != nil {
		return err
	}
	return ErrPeerClosed
}
