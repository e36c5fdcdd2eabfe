package shmchan

import (
	"context"
	"sync"
)

// Producer is the sending end of a lane. One goroutine at a time may send: a
// second one gets ErrConcurrentUse if it comes while the first waits, is in the
// middle of a message in fragments, or is inside Reserve or Send and hears it
// come. Calls that merely alternate cannot be told from one goroutine's and are
// served in order; nothing that two goroutines do can damage the ring.
//
// Reservations may be committed in any order and by any goroutine; the peer sees
// them in the order in which they were reserved.
type Producer struct {
	ch    *Channel
	lane  int
	sleep *sleeper

	turn    oneUser
	mu      sync.Mutex
	ring    *outRing
	busy    bool // somebody waits with mu unlocked
	writing bool // a message in fragments has begun
	owed    bool // it broke off; the peer must be told before anything else
	fill    fillGauge
	traffic traffic
	waits   Histogram
}

// Reservation is room for one message, not yet visible to the peer. Exactly one
// of Commit and Abandon ends it. It is a small value; copies stand for the same
// reservation.
type Reservation struct {
	p      *Producer
	ring   *outRing
	ticket uint64
	at     uint64
	data   []byte
}

// Reserve finds room for n bytes, at most half the ring's data area, and waits
// for it as long as the message timeout and ctx permit. The context is looked
// at only when there is something to wait for.
//
// Errors: ErrTooLarge, ErrTimeout or the context's, ErrConcurrentUse, and what
// ended the channel.
func (p *Producer) Reserve(ctx context.Context, n int) (Reservation, error) {
	if err := p.enter(); err != nil {
		return Reservation{}, err
	}
	e, err := p.reserve(ctx, n)
	p.turn.hear()
	if err != nil {
		return Reservation{}, p.leave(err)
	}
	r := Reservation{p: p, ring: p.ring, ticket: e.ticket, at: e.start, data: p.ring.data[e.start : e.start+e.length : e.start+e.length]}
	if p.filling() {
		return r, p.leaveFilling()
	}
	p.mu.Unlock()
	return r, nil
}

// enter takes mu for one that sends.
func (p *Producer) enter() error {
	if err := p.turn.enter(&p.mu); err != nil {
		return err
	}
	if p.writing || p.busy {
		p.mu.Unlock()
		return ErrConcurrentUse
	}
	return nil
}

// reserve is Reserve for a caller that holds mu. It may unlock mu while it
// waits, with busy set.
func (p *Producer) reserve(ctx context.Context, n int) (*outgoing, error) {
	if p.ch.attention.Load() != 0 || p.owed {
		if err := p.attend(ctx); err != nil {
			return nil, err
		}
	}
	r := p.ring
	if n < 0 || int64(n) > r.geo.largestFrame() {
		return nil, &TooLargeError{Got: int64(n), Max: r.geo.largestFrame()}
	}
	// The peer's tail is a cache line that the peer keeps writing, so it is not
	// looked at for every message: only once data has moved on by a page, and
	// when room runs out. Small traffic thus stays on two pages.
	if r.live.hi >= r.lookAt && r.live.live > 0 {
		if err := r.look(); err != nil {
			return nil, p.failed(err)
		}
		r.lookAt = r.live.hi + lookEvery
	}
	space := uint64(max(n, 1)) // a message without bytes has a place as well
	start, ok := r.fits(space)
	if !ok {
		var err error
		if start, err = p.room(ctx, space); err != nil {
			return nil, err
		}
		r = p.ring
	}
	if start == 0 {
		r.lookAt = lookEvery
	}
	return r.take(start, uint64(n), space), nil
}

// failed is what comes of a look at the peer's tail that failed.
func (p *Producer) failed(err error) error {
	if err == ErrPeerClosed {
		return p.ch.peerClosed()
	}
	return p.ch.fail(err)
}

// lookEvery is one page of data.
const lookEvery = 4096

// room waits until space bytes fit.
func (p *Producer) room(ctx context.Context, space uint64) (start uint64, err error) {
	r := p.ring
	began := nanotime()
	deadline := began + int64(p.ch.timeout)
	for {
		if err := r.look(); err != nil {
			return 0, p.failed(err)
		}
		start, ok := r.fits(space)
		if ok {
			p.waits.Record(nanotime() - began)
			return start, nil
		}
		if err := p.wait(ctx, r, deadline); err != nil {
			return 0, err
		}
	}
}

// wait sleeps until the peer's tail moves, with mu unlocked.
func (p *Producer) wait(ctx context.Context, r *outRing, deadline int64) error {
	seen := r.tail
	p.busy = true
	p.mu.Unlock()
	why := p.sleep.await(ctx, event{word: r.peerTail, parked: r.parked}, seen, deadline)
	p.mu.Lock()
	p.busy = false
	switch {
	case p.ch.attention.Load()&attendEnd != 0:
		return p.ch.reason()
	case why == timeout:
		return errNoRoom
	case why == cancelled:
		return contextError(ctx)
	}
	return nil
}

// Bytes is the reserved memory. The peer cannot see a descriptor for it before
// Commit, but it can see the bytes: write nothing here that it must not know.
func (r Reservation) Bytes() []byte { return r.data }

// Commit hands the bytes to the peer. Until the peer releases them they are the
// peer's to read and nobody's to write.
//
// Errors: ErrCommitted, ErrAbandoned, and what ended the channel.
func (r Reservation) Commit(h Header) error { return r.CommitFirst(h, len(r.data)) }

// CommitFirst commits the first n bytes only.
func (r Reservation) CommitFirst(h Header, n int) error {
	if n < 0 || n > len(r.data) {
		return &TooLargeError{Got: int64(n), Max: int64(len(r.data))}
	}
	p := r.p
	if p == nil {
		return ErrAbandoned
	}
	p.mu.Lock()
	err := p.commit(r, h, n)
	if err == nil {
		r.ring.advance()
		r.ring.show()
	}
	return p.leave(err)
}

func (p *Producer) commit(r Reservation, h Header, n int) error {
	e := r.ring.at(r.ticket)
	if err := e.reserved(r.ticket); err != nil {
		return err
	}
	e.header = packHeader(h, 0)
	e.length = uint64(n)
	e.state = entryReady
	r.ring.open--
	p.traffic.count(n)
	return nil
}

// reserved says whether the entry still is the reservation that took it.
func (e *outgoing) reserved(ticket uint64) error {
	switch {
	case e.ticket == ticket && e.state == entryReserved:
		return nil
	case e.ticket == ticket && e.state == entryAbandoned:
		return ErrAbandoned
	default:
		return ErrCommitted
	}
}

// CommitN commits reservations with one store of the head and at most one wake,
// headers[i] for rs[i]. On an error none of them has been committed.
func (p *Producer) CommitN(rs []Reservation, headers []Header) error {
	if len(rs) != len(headers) {
		return errBatch
	}
	if len(rs) == 0 {
		return nil
	}
	p.mu.Lock()
	for i := range rs {
		if err := p.inBatch(rs, i); err != nil {
			return p.leave(err)
		}
	}
	for i := range rs {
		// Cannot fail: inBatch has asked the same, and mu was held since.
		_ = p.commit(rs[i], headers[i], len(rs[i].data))
	}
	ring := rs[0].ring
	ring.advance()
	ring.show()
	return p.leave(nil)
}

// inBatch checks that rs[i] is this producer's, open, and not in the batch twice.
func (p *Producer) inBatch(rs []Reservation, i int) error {
	r := &rs[i]
	if r.p != p || r.ring != rs[0].ring {
		return errBatch
	}
	if err := r.ring.at(r.ticket).reserved(r.ticket); err != nil {
		return err
	}
	if i > 0 && r.ticket <= rs[i-1].ticket {
		return errBatch
	}
	return nil
}

// Abandon gives the room back; the peer never learns of it.
//
// Errors: ErrCommitted, ErrAbandoned.
func (r Reservation) Abandon() error {
	p := r.p
	if p == nil {
		return ErrAbandoned
	}
	p.mu.Lock()
	e := r.ring.at(r.ticket)
	err := e.reserved(r.ticket)
	if err == nil {
		before := r.ring.next
		r.ring.abandon(e)
		if r.ring.next != before { // it had kept later ones waiting
			r.ring.show()
		}
	}
	return p.leave(err)
}

// leave unlocks mu and does what must not be done under it. All that end a
// reservation leave here, so that a closed channel is unmapped by the last.
func (p *Producer) leave(err error) error {
	if p.ch.attention.Load() != 0 {
		return p.leaveSlow(err)
	}
	p.mu.Unlock()
	return err
}

func (p *Producer) leaveSlow(err error) error {
	ended := p.ch.attention.Load()&attendEnd != 0
	if ended {
		p.letGo()
		if err == nil {
			err = p.ch.reason()
		}
	} else {
		p.trySwitch()
	}
	p.mu.Unlock()
	return err
}

// letGo gives up the ring of a channel that has ended, as soon as nothing of it
// is in use. A reservation keeps it: its owner may be writing.
//
// Preconditions: mu is held.
func (p *Producer) letGo() {
	p.ring.close()
	if !p.busy && p.ring.open == 0 {
		p.ring.drop()
	}
}

// attend does what comes before the next message: it ends, switches memory, or
// tells the peer that the message before broke off.
func (p *Producer) attend(ctx context.Context) error {
	if p.ch.attention.Load()&attendEnd != 0 {
		return p.ch.reason()
	}
	if p.owed {
		if err := p.control(ctx, flagAbort, 0, Header{}); err != nil {
			return err
		}
		p.owed = false
	}
	if p.mustSwitch() && p.ring.open == 0 {
		if _, ok := p.ring.fits(0); !ok {
			if _, err := p.room(ctx, 0); err != nil {
				return err
			}
		}
		p.trySwitch()
	}
	return nil
}

// control sends a descriptor without bytes.
func (p *Producer) control(ctx context.Context, f flags, total uint64, h Header) error {
	start, ok := p.ring.fits(0)
	if !ok {
		var err error
		if start, err = p.room(ctx, 0); err != nil {
			return err
		}
	}
	p.ring.put(start, f, total, h)
	return nil
}
