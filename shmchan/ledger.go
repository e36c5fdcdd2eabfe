package shmchan

// Ownership says who may touch the bytes of a frame.
type Ownership uint8

const (
	// Unknown is a sequence number that has not been used yet.
	Unknown Ownership = iota
	// Reserved bytes are the sender's, to write.
	Reserved
	// Committed bytes are the receiver's, which has not taken them yet (or, seen
	// from the sending end, may have).
	Committed
	// Borrowed bytes are the receiver's, which has them in hand.
	Borrowed
	// Released bytes are the sender's again.
	Released
)

var ownershipNames = [...]string{"unknown", "reserved", "committed", "borrowed", "released"}

func (o Ownership) String() string {
	if int(o) < len(ownershipNames) {
		return ownershipNames[o]
	}
	return "invalid"
}

// MarshalText gives the name, so that JSON says "borrowed".
func (o Ownership) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// LedgerEntry is one live frame as this end knows it.
type LedgerEntry struct {
	Lane     int       `json:"lane"`
	Outbound bool      `json:"outbound"` // this end wrote it
	Epoch    uint64    `json:"epoch"`
	Sequence uint64    `json:"sequence"`
	State    Ownership `json:"state"`
	Offset   uint64    `json:"offset"` // of a frame that the peer wrote and nobody took, 0
	Length   uint64    `json:"length"` // the same
}

// Ledger lists who owns each live frame: for every ring all between the oldest
// that is not released and the newest. It is this end's own book, written when
// frames were reserved, committed, taken and released; a peer cannot alter it.
// Frames of earlier epochs are in it for as long as they are borrowed.
func (c *Channel) Ledger() []LedgerEntry {
	var all []LedgerEntry
	for _, l := range c.lanes {
		all = l.producer.ledger(all)
		all = l.consumer.ledger(all)
	}
	return all
}

// Owner looks one frame of this epoch up by its sequence number. A reservation
// has the number it will get if all before it are committed.
func (p *Producer) Owner(sequence uint64) Ownership {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.ring
	pending := uint64(0)
	for t := r.publish; t < r.last; t++ {
		if r.at(t).state != entryAbandoned {
			pending++
		}
	}
	switch {
	case sequence == 0 || sequence > r.next+pending:
		return Unknown
	case sequence > r.next:
		return Reserved
	case sequence > r.tail:
		return Committed
	}
	return Released
}

// Owner looks one frame of this epoch up by its sequence number.
func (c *Consumer) Owner(sequence uint64) Ownership {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.ring
	switch {
	case sequence == 0 || sequence > r.head:
		return Unknown
	case sequence > r.next:
		return Committed
	case sequence <= r.tail:
		return Released
	}
	return r.taken[(sequence-1)&uint64(len(r.taken)-1)].state.owner()
}

func (s takenState) owner() Ownership {
	if s == takenBorrowed {
		return Borrowed
	}
	return Released
}

func (p *Producer) ledger(all []LedgerEntry) []LedgerEntry {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.ring
	next := r.next
	for t := r.first; t < r.last; t++ {
		e := r.at(t)
		l := LedgerEntry{Lane: p.lane, Outbound: true, Epoch: r.pair.epoch, Sequence: e.seq, State: Committed, Offset: e.start, Length: e.length}
		switch e.state {
		case entryAbandoned:
			continue
		case entryReserved, entryReady:
			next++
			l.Sequence, l.State = next, Reserved
		}
		all = append(all, l)
	}
	return all
}

func (c *Consumer) ledger(all []LedgerEntry) []LedgerEntry {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.old {
		all = r.ledger(c.lane, all)
	}
	return c.ring.ledger(c.lane, all)
}

func (r *inRing) ledger(lane int, all []LedgerEntry) []LedgerEntry {
	for seq := r.tail + 1; seq <= r.head; seq++ {
		l := LedgerEntry{Lane: lane, Epoch: r.epoch, Sequence: seq, State: Committed}
		if seq <= r.next {
			t := &r.taken[(seq-1)&uint64(len(r.taken)-1)]
			l.State, l.Offset, l.Length = t.state.owner(), t.start, t.length
		}
		all = append(all, l)
	}
	return all
}
