package shmchan

import "sync/atomic"

// outgoing is one message on its way out: from Reserve until the peer has released
// it. Entries keep their place in the data area's order for all of that time.
type outgoing struct {
	ticket uint64 // which entry this is, counted from 1; recycled slots differ
	start  uint64
	length uint64
	seq    uint64 // once published
	header uint64
	state  entryState
}

// control reports whether the entry is a descriptor without bytes; length is
// then what its offset word holds.
func (e *outgoing) control() bool { return flags(e.header>>8)&^flagMore != 0 }

type entryState uint8

const (
	entryReserved  entryState = iota + 1
	entryReady                // committed, but one before it is not
	entryAbandoned            // its bytes are free once those before are
	entryPublished
)

// outRing is the producing end of one ring in one epoch. Its cursors are its
// own: the shared head is written and never read back, so that nothing a peer
// could ever do to it has a meaning here.
type outRing struct {
	pair  *pair
	geo   *ringGeometry
	slots []ownSlot
	data  []byte

	head       *atomic.Uint64 // ours
	parked     *atomic.Uint32 // ours
	peerTail   *atomic.Uint64 // the peer's
	peerParked *atomic.Uint32 // the peer's: its reader sleeps

	next    uint64 // descriptors published
	tail    uint64 // descriptors released, as far as was looked
	live    span
	lookAt  uint64 // look at the peer's tail again once data gets this far up
	entries []outgoing
	first   uint64 // ticket of the oldest live entry
	publish uint64 // ticket of the oldest entry not published
	last    uint64 // ticket after the newest
	open    int    // entries reserved
	closed  uint64 // closedBit once this end has closed
	dropped bool   // the pair was let go
}

func newOutRing(p *pair, lane int) *outRing {
	g := &p.outRings()[lane]
	return &outRing{
		pair: p, geo: g,
		slots:      ownSlots(p.out.mem, g),
		data:       p.out.area(g),
		head:       p.out.counter(lane, offHead),
		parked:     p.out.flag(lane, offWriterParked),
		peerTail:   p.in.counter(lane, offTail),
		peerParked: p.in.flag(lane, offReaderParked),
		entries:    make([]outgoing, g.slots),
		first:      1, publish: 1, last: 1,
	}
}

func (r *outRing) at(ticket uint64) *outgoing { return &r.entries[ticket&uint64(len(r.entries)-1)] }

// look takes the peer's tail in and frees what lies behind it. The value is
// loaded once; it may only go up, and not past what was published: a peer that
// pretends to have released more would make us overwrite what it still reads,
// which is its own loss, but a tail beyond the head would also break our sums.
func (r *outRing) look() error {
	t := r.peerTail.Load()
	if t == r.tail {
		return nil
	}
	gone := t&closedBit != 0
	t &^= closedBit
	if t < r.tail {
		return &ViolationError{What: "tail (must not step back)", Got: t, Limit: r.tail}
	}
	if t > r.next {
		return &ViolationError{What: "tail (beyond the head)", Got: t, Limit: r.next}
	}
	r.tail = t
	r.reclaim()
	if gone {
		return ErrPeerClosed
	}
	return nil
}

// reclaim drops entries at the old end that are released or abandoned.
func (r *outRing) reclaim() {
	n := 0
	for r.first < r.last {
		e := r.at(r.first)
		if e.state != entryAbandoned && (e.state != entryPublished || e.seq > r.tail) {
			break
		}
		if debugPoison && e.state == entryPublished && !e.control() {
			poison(r.data[e.start : e.start+e.length])
		}
		r.first++
		n++
	}
	if n == 0 {
		return
	}
	r.publish = max(r.publish, r.first)
	r.live.drop(n, r.at(r.first).start)
	if r.live.live == 0 {
		r.lookAt = 0
	}
}

// fits finds a place for n bytes without waiting.
func (r *outRing) fits(n uint64) (start uint64, ok bool) {
	if int(r.last-r.first) == len(r.entries) {
		return 0, false
	}
	if n == 0 {
		return r.live.hi, true
	}
	return r.live.place(align(n), uint64(len(r.data)))
}

// take makes the entry for a place that fits gave.
func (r *outRing) take(start, n, space uint64) *outgoing {
	e := r.at(r.last)
	*e = outgoing{ticket: r.last, start: start, length: n, state: entryReserved}
	r.last++
	r.open++
	r.live.add(start, start+align(space))
	return e
}

// abandon takes an entry back. Its place is reused at once when nothing was
// reserved after it, else when its turn has come.
func (r *outRing) abandon(e *outgoing) {
	e.state = entryAbandoned
	r.open--
	if r.publish == e.ticket {
		r.advance()
	}
	r.reclaim()
}

// advance writes the descriptors of all entries that are ready and not kept
// waiting by an earlier one. The head is not stored yet.
func (r *outRing) advance() {
	mask := uint64(len(r.slots) - 1)
	for r.publish < r.last {
		e := r.at(r.publish)
		switch e.state {
		case entryReady:
			s := &r.slots[r.next&mask]
			r.next++
			offset := e.start
			if e.control() {
				offset, e.length = e.length, 0 // of a prologue, the total
			}
			s.set(offset, e.length, e.header, r.next)
			e.seq, e.state = r.next, entryPublished
		case entryAbandoned:
		default:
			return
		}
		r.publish++
	}
}

// show publishes the head and wakes a reader that sleeps. Go's atomic store is
// also a full fence: a processor that let the load of the flag overtake the
// store could miss a reader that is just lying down, and both would wait.
func (r *outRing) show() {
	r.head.Store(r.next | r.closed)
	if r.peerParked.Load() != 0 {
		wakeWord(r.head)
	}
}

// close tells the peer's reader, asleep or not, that nothing more will come.
func (r *outRing) close() {
	if r.closed != 0 || r.dropped {
		return
	}
	r.closed = closedBit
	r.show()
	wakeWord(r.head)
}

// drop lets the pair go.
//
// Preconditions: no reservation is open, nobody waits.
func (r *outRing) drop() {
	if !r.dropped {
		r.dropped = true
		r.pair.drop()
	}
}

// put publishes a descriptor without bytes at a place that fits gave.
func (r *outRing) put(start uint64, f flags, total uint64, h Header) {
	e := r.take(start, total, 0)
	e.header = packHeader(h, f)
	e.state = entryReady
	r.open--
	r.advance()
	r.show()
}
