package shmchan

import "sync/atomic"

// taken is what the consumer remembers of a descriptor it has looked at.
type taken struct {
	seq    uint64
	start  uint64
	state  takenState
	length uint64
	bytes  bool // it has bytes in the data area
}

type takenState uint8

const (
	takenBorrowed takenState = iota + 1
	takenReleased
)

// inRing is the consuming end of one ring in one epoch. Cursors are its own;
// the shared tail is written and never read back.
type inRing struct {
	pair  *pair
	geo   *ringGeometry
	epoch uint64
	slots []peerSlot
	data  []byte

	tailWord   *atomic.Uint64 // ours
	parked     *atomic.Uint32 // ours
	peerHead   *atomic.Uint64 // the peer's
	peerParked *atomic.Uint32 // the peer's: its writer sleeps
	peerEpoch  *atomic.Uint64 // the peer's

	head     uint64 // descriptors the peer has published, as far as was looked
	next     uint64 // descriptors looked at
	tail     uint64 // descriptors released, published
	live     span
	borrowed int
	taken    []taken
	gone     bool   // the peer has closed; what it published before still counts
	closed   uint64 // closedBit once this end has closed
	left     bool   // no more frames are taken from it
	dropped  bool   // the pair was let go
}

func newInRing(p *pair, lane int) *inRing {
	g := &p.inRings()[lane]
	return &inRing{
		pair: p, geo: g, epoch: p.epoch,
		slots:      peerSlots(p.in.mem, g),
		data:       p.in.area(g),
		tailWord:   p.out.counter(lane, offTail),
		parked:     p.out.flag(lane, offReaderParked),
		peerHead:   p.in.counter(lane, offHead),
		peerParked: p.in.flag(lane, offWriterParked),
		peerEpoch:  wordAt(p.in.mem, offEpoch),
		taken:      make([]taken, g.slots),
	}
}

// look takes the peer's head in. It is loaded once. A head too far ahead would
// have us read slots that were never filled, or read one twice; a step back
// would have us wait for ever, or serve a frame again.
func (r *inRing) look() error {
	h := r.peerHead.Load()
	if h == r.head {
		return nil
	}
	if h&closedBit != 0 {
		r.gone = true
		h &^= closedBit
	}
	if h < r.head {
		return &ViolationError{What: "head (must not step back)", Got: h, Limit: r.head}
	}
	if limit := r.tail + uint64(len(r.slots)); h > limit {
		return &ViolationError{What: "head (beyond the tail plus the slots)", Got: h, Limit: limit}
	}
	r.head = h
	return nil
}

// pull takes the next descriptor. The bytes it names must be clear of all that
// is still borrowed: a peer that offers live bytes a second time could change
// one message by writing another.
//
// Preconditions: next < head.
func (r *inRing) pull(f *frame) error {
	if e := r.peerEpoch.Load(); e != r.epoch {
		return &ViolationError{What: "epoch", Got: e, Limit: r.epoch}
	}
	i := r.next & uint64(len(r.slots)-1)
	if err := r.slots[i].decode(r.next+1, r.geo, f); err != nil {
		return err
	}
	t := &r.taken[i]
	*t = taken{seq: r.next + 1, state: takenReleased}
	if f.data() {
		if end := f.offset + f.length; !r.live.free(f.offset, end) {
			return &ViolationError{What: "offset of a descriptor (over bytes that are borrowed)", Got: f.offset, Limit: r.live.lo}
		}
		r.live.add(f.offset, f.offset+f.length)
		t.start, t.length, t.bytes, t.state = f.offset, f.length, true, takenBorrowed
		r.borrowed++
	}
	r.next++
	return nil
}

// release gives one frame back. The tail moves over all released frames at the
// old end; a frame released early waits for those before it.
func (r *inRing) release(seq uint64) error {
	t := &r.taken[(seq-1)&uint64(len(r.taken)-1)]
	if t.seq != seq || t.state != takenBorrowed {
		return ErrReleased
	}
	t.state = takenReleased
	r.borrowed--
	if seq == r.tail+1 {
		r.moveTail()
	}
	return nil
}

// moveTail publishes the tail and wakes a writer that sleeps; see outRing.show
// for the fence.
func (r *inRing) moveTail() {
	mask := uint64(len(r.taken) - 1)
	gone := 0
	for r.tail < r.next && r.taken[r.tail&mask].state == takenReleased {
		if r.taken[r.tail&mask].bytes {
			gone++
		}
		r.tail++
	}
	// What is left at the old end, if anything, is borrowed and so has bytes.
	r.live.drop(gone, r.taken[r.tail&mask].start)
	r.tailWord.Store(r.tail | r.closed)
	if r.peerParked.Load() != 0 {
		wakeWord(r.tailWord)
	}
}

// skip gives a descriptor without bytes back at once.
func (r *inRing) skip() {
	if r.tail+1 == r.next {
		r.moveTail()
	}
}

// close tells the peer's writer, asleep or not, that nobody reads any more.
func (r *inRing) close() {
	if r.closed != 0 || r.dropped {
		return
	}
	r.closed = closedBit
	r.tailWord.Store(r.tail | r.closed)
	wakeWord(r.tailWord)
}

// dropIfDone lets the pair go once the last borrowed frame is back.
func (r *inRing) dropIfDone() {
	if r.left && r.borrowed == 0 && !r.dropped {
		r.dropped = true
		r.pair.drop()
	}
}

// bytes is the frame's place in the data area.
func (r *inRing) bytes(f *frame) []byte {
	end := f.offset + f.length
	return r.data[f.offset:end:end]
}
