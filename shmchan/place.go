package shmchan

// Area is where the bytes of one ring lie in the memory file of its direction,
// for whoever maps them a second time: into the memory of a guest, say. Control
// page and descriptors lie outside of every area.
type Area struct {
	Offset int64 // in the file, a multiple of 64 KiB
	Size   int64 // bytes
	Epoch  uint64
}

// Area is the data area of one direction of a lane, in the memory in use; from
// Prepare or Adopt on, in the memory that the channel is moving to.
func (c *Channel) Area(lane int, outbound bool) Area {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.pair
	if c.next != nil {
		p = c.next
	}
	rings := p.inRings()
	if outbound {
		rings = p.outRings()
	}
	return Area{Offset: rings[lane].dataOff, Size: rings[lane].data, Epoch: p.epoch}
}

// Place is where the frame's bytes begin in the data area of its epoch.
func (f Frame) Place() (at int64, epoch uint64) {
	if f.ring == nil {
		return 0, 0
	}
	return int64(f.at), f.ring.epoch
}

// Place is where the reserved bytes begin in the data area of their epoch.
func (r Reservation) Place() (at int64, epoch uint64) {
	if r.ring == nil {
		return 0, 0
	}
	return int64(r.at), r.ring.pair.epoch
}

// Largest is the size of the largest message that goes in one piece, in bytes:
// half of the data area of the ring in use.
func (p *Producer) Largest() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ring.geo.largestFrame()
}
