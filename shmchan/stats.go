package shmchan

// Stats is what one end of a channel has seen, by its own count and clock.
type Stats struct {
	Epoch     uint64      `json:"epoch"`
	HugePages bool        `json:"huge_pages"` // what this end writes lies in 2 MiB pages
	Heap      bool        `json:"heap"`       // Pipe
	Lanes     []LaneStats `json:"lanes"`
}

// LaneStats is one lane's part of Stats.
type LaneStats struct {
	Name     string    `json:"name,omitempty"`
	Outbound RingStats `json:"outbound"`
	Inbound  RingStats `json:"inbound"`
}

// RingStats describes one end of one ring.
type RingStats struct {
	Messages uint64 `json:"messages"` // frames: a message in fragments counts once for each
	Bytes    uint64 `json:"bytes"`
	Size     int64  `json:"size"`  // bytes of the data area
	Used     int64  `json:"used"`  // of which live, as of the last look
	Slots    int    `json:"slots"` // most frames in flight
	Live     int    `json:"live"`  // frames in flight, as of the last look

	Wait      WaitStats    `json:"wait"`
	Sizes     Distribution `json:"sizes"`      // bytes of a frame
	WaitTimes Distribution `json:"wait_times"` // ns, of waits that were not over at the first glance
}

// Stats reads the counters. It allocates, and stops each ring end for a moment.
func (c *Channel) Stats() Stats {
	c.mu.Lock()
	s := Stats{Epoch: c.pair.epoch, HugePages: c.pair.out.huge, Heap: c.pair.heap}
	c.mu.Unlock()
	for _, l := range c.lanes {
		s.Lanes = append(s.Lanes, LaneStats{Name: l.name, Outbound: l.producer.stats(), Inbound: l.consumer.stats()})
	}
	return s
}

func (p *Producer) stats() RingStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.traffic.stats()
	r := p.ring
	s.Size, s.Used = int64(len(r.data)), int64(r.live.used(uint64(len(r.data))))
	s.Slots, s.Live = len(r.slots), int(r.last-r.first)
	s.Wait, s.WaitTimes = p.sleep.stats(), p.waits.Snapshot()
	return s
}

func (c *Consumer) stats() RingStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.traffic.stats()
	r := c.ring
	s.Size, s.Used = int64(len(r.data)), int64(r.live.used(uint64(len(r.data))))
	s.Slots, s.Live = len(r.slots), int(r.head-r.tail)
	s.Wait, s.WaitTimes = c.sleep.stats(), c.waits.Snapshot()
	return s
}

func (t *traffic) stats() RingStats {
	t.flush()
	return RingStats{Messages: t.messages, Bytes: t.bytes, Sizes: t.sizes.Snapshot()}
}
