package ringcall

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ringfence/ringfence/host/internal/printable"
	"github.com/ringfence/ringfence/host/internal/transport"
	"github.com/ringfence/ringfence/pluginkit/ringwire"
	"github.com/ringfence/ringfence/shmchan"
)

// A ring that stays full makes its plugin slow: one side waits for the other with
// every piece. So a channel whose rings stay full moves to larger memory, as large
// as the policy lets it, and then raises an alert.
//
// Full is 90 percent, and it stays so that reaches it in each of so many calls one
// after the other, or that does not fall for so long within a call.
const (
	sustainedCalls = 3
	sustainedTime  = time.Second
)

// Growth says how a channel may grow. The zero value says that it does not.
type Growth struct {
	// Shape is the channel's at first, and Largest the most bytes of a ring.
	Shape   ringwire.Shape
	Largest uint64
	// Send hands the files of new memory to the sandbox; nil: nothing can be handed
	// to it any more. The files stay the caller's.
	Send func(*shmchan.Offer) error
	// Later, where there is no Send, is told the shape that a new channel of the same
	// plugin should have.
	Later func(ringwire.Shape)
	// Grown and Alert are told what has become of a channel that stays full: it has
	// moved to rings of that size, or it cannot, and why. They must not block.
	Grown func(ring, capabilities uint64, windows bool)
	Alert func(why string)
}

// Pressure watches the rings of one channel. It has to be there before the
// channel, whose OnFill is Fill, and belongs to the transport afterwards.
type Pressure struct {
	Growth

	mu        sync.Mutex
	calls     int  // in a row in which a ring was full
	full      bool // a ring was, in this call
	sustained bool // a ring has been for long
	preparing bool
	next      *shmchan.Offer // memory to move to, when the next call begins
	nextShape ringwire.Shape
	stuck     string        // why the channel grows no more
	patience  time.Duration // growTime, but in tests
	stats     transport.GrowthStats
}

// NewPressure watches for a channel that may grow so.
func NewPressure(g Growth) *Pressure {
	if g.Grown == nil {
		g.Grown = func(uint64, uint64, bool) {}
	}
	if g.Alert == nil {
		g.Alert = func(string) {}
	}
	return &Pressure{Growth: g, patience: growTime}
}

// Fill is shmchan.Config.OnFill.
func (p *Pressure) Fill(e shmchan.FillEvent) {
	if e.Level < 90 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if e.For == 0 {
		p.stats.Full++
	}
	p.full, p.sustained = true, p.sustained || e.For >= sustainedTime
}

func (p *Pressure) growth() transport.GrowthStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stats
}

// ended looks back at a call that has ended, and reports whether its channel is to
// grow, or says why it cannot.
func (p *Pressure) ended() (grow bool, alert string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.full {
		p.calls, p.sustained = 0, false
		return false, ""
	}
	p.full = false
	if p.calls++; p.calls < sustainedCalls && !p.sustained {
		return false, ""
	}
	p.calls, p.sustained = 0, false
	if p.preparing || p.next != nil {
		return false, ""
	}
	if _, larger := p.Shape.Grown(p.Largest); p.stuck == "" && p.Send != nil && larger {
		p.preparing = true
		return true, ""
	}
	p.stats.Alerts++
	if later, larger := p.Shape.Grown(p.Largest); p.Later != nil && p.Send == nil && larger {
		p.Later(later)
	}
	return false, p.why()
}

// why is why the channel grows no more.
func (p *Pressure) why() string {
	switch {
	case p.stuck != "":
		return p.stuck
	case p.Send == nil && p.Shape.Ring < p.Largest:
		return "a native plugin takes no new memory while it runs; its next process begins with a larger ring"
	}
	return fmt.Sprintf("it is as large as the policy lets it be, %d bytes", p.Largest)
}

// prepare makes the memory to move to, in nobody's way. Its pages are touched
// here, which takes milliseconds.
func (p *Pressure) prepare(channel *shmchan.Channel) {
	p.mu.Lock()
	shape, _ := p.Shape.Grown(p.Largest)
	p.mu.Unlock()
	offer, err := channel.Prepare(shape.Config())
	p.mu.Lock()
	p.preparing, p.nextShape, p.next = false, shape, offer
	if err != nil {
		p.next, p.stuck = nil, "its larger memory could not be made: "+err.Error()
	}
	p.mu.Unlock()
	if channel.Err() != nil {
		p.drop()
	}
}

// drop lets go of memory that nobody will move to, since the channel has ended.
func (p *Pressure) drop() {
	if offer, _ := p.take(); offer != nil {
		_ = offer.Close()
	}
}

// ready is the memory to move to, if there is some.
func (p *Pressure) ready() (*shmchan.Offer, ringwire.Shape) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.next, p.nextShape
}

// take is ready for one that moves to it or gives it up, which happens once.
func (p *Pressure) take() (*shmchan.Offer, ringwire.Shape) {
	p.mu.Lock()
	defer p.mu.Unlock()
	offer := p.next
	p.next = nil
	return offer, p.nextShape
}

// settle notes what has become of a move.
func (p *Pressure) settle(to ringwire.Shape, stuck string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if stuck == "" {
		p.Shape = to
		p.stats.Grown++
		return
	}
	p.stuck = stuck
	p.stats.Alerts++
}

// relieve looks at the rings when a call has ended.
func (t *Transport) relieve() {
	grow, alert := t.pressure.ended()
	switch {
	case grow:
		go t.pressure.prepare(t.channel)
	case alert != "":
		t.pressure.Alert(alert)
	}
}

// grow moves the channel to the memory that is ready for it, before a call begins.
// The sandbox answers when it has taken it, and its guest has its windows again.
//
// Errors: as Call's. A sandbox that does not want the memory is none.
func (t *Transport) grow(ctx context.Context) error {
	if offer, _ := t.pressure.ready(); offer == nil {
		return nil
	}
	c, err := t.begin(ctx, transport.Call{}, nil)
	if err != nil {
		return err
	}
	// The room comes first: what is handed over then has its message for certain, and
	// a caller that leaves before leaves the memory to the next one.
	room, err := t.calls.Producer().Reserve(ctx, ringwire.GrowSize)
	if err != nil {
		t.end(c, ctx.Err() != nil)
		return t.reason(ctx, err)
	}
	offer, shape := t.pressure.take()
	if offer == nil { // the channel has just ended
		_ = room.Abandon()
		t.end(c, true)
		return nil
	}
	m := &move{call: c, offer: offer, to: shape}
	err = t.pressure.Send(offer)
	_ = offer.Close()
	if err != nil {
		err = errors.Join(room.Abandon(), t.stays(m, "its memory could not be handed over: "+err.Error()))
		t.end(c, err == nil)
		return err
	}
	message := ringwire.Grow{Ring: shape.Ring, Capabilities: shape.Capabilities}.Bytes()
	copy(room.Bytes(), message[:])
	if err = room.Commit(shmchan.Header{Kind: ringwire.KindGrow, Call: c.number}); err == nil {
		err = t.grown(ctx, m)
	}
	if err == nil {
		t.end(c, true)
		return nil
	}
	if ctx.Err() != nil && t.channel.Err() == nil {
		go func() { // the caller has gone; the next one waits in Idle
			err := t.grown(context.Background(), m)
			t.end(c, err == nil)
		}()
		return context.Cause(ctx)
	}
	t.end(c, false)
	return t.reason(ctx, err)
}

// move is one change of memory.
type move struct {
	call     *running
	offer    *shmchan.Offer
	to       ringwire.Shape
	answered bool // by Grown
	windows  bool // as it says
}

// growTime is how long a sandbox may take to move to new memory.
const growTime = 10 * time.Second

// grown waits for the answer to a Grow, and until nothing uses the old memory any
// more: what a sandbox may hold twice is bounded by growTime.
func (t *Transport) grown(ctx context.Context, m *move) (err error) {
	outer := ctx
	ctx, cancel := context.WithTimeout(ctx, t.pressure.patience)
	defer cancel()
	defer func() {
		// A guest can bring that about, by looping when it is asked for room: no word of
		// a broken sandbox.
		if err != nil && ctx.Err() != nil && outer.Err() == nil && t.channel.Err() == nil {
			err = fmt.Errorf("%w: it did not move to larger memory within %s", transport.ErrLost, t.pressure.patience)
		}
	}()
	if !m.answered {
		stays, err := t.growAnswer(ctx, m)
		if stays || err != nil {
			return err
		}
		m.answered = true
	}
	if err := t.channel.Moved(ctx); err != nil {
		return err
	}
	t.pressure.settle(m.to, "")
	t.pressure.Grown(m.to.Ring, m.to.Capabilities, m.windows)
	return nil
}

// growAnswer takes the answer to a Grow, and reports whether the sandbox stays.
func (t *Transport) growAnswer(ctx context.Context, m *move) (stays bool, err error) {
	f, err := t.calls.Consumer().Peek(ctx)
	if err != nil {
		return false, err
	}
	_, epoch := f.Place()
	header, message := f.Header(), make([]byte, min(f.Len(), maxStays+1))
	_, err = f.CopyTo(message)
	last := f.Last() && f.Offset() == 0
	if err := errors.Join(err, f.Release()); err != nil {
		return false, err
	}
	switch {
	case header.Call != m.call.number || !last || len(message) > maxStays:
		return false, t.violate(transport.Violation("a message of kind %s of call %d as the answer to a grow, %d",
			ringwire.KindName(header.Kind), header.Call, m.call.number))
	case header.Kind == ringwire.KindStays:
		return true, t.stays(m, "the sandbox does not take it: "+printable.Line(string(message), maxStays))
	case header.Kind != ringwire.KindGrown && header.Kind != ringwire.KindWindows:
		return false, t.violate(transport.Violation("a message of kind %s as the answer to a grow", ringwire.KindName(header.Kind)))
	case len(message) > 0:
		return false, t.violate(transport.Violation("a %s of %d bytes (maximum 0)", ringwire.KindName(header.Kind), f.Len()))
	}
	if want := t.channel.Area(ringwire.Calls, false).Epoch; epoch != want {
		return false, t.violate(transport.Violation("it has grown, it says in the memory of epoch %d (want %d)", epoch, want))
	}
	m.windows = header.Kind == ringwire.KindWindows
	return false, nil
}

// maxStays is the longest reason of a sandbox, in bytes.
const maxStays = 200

// stays ends a move that did not take place, and takes the memory back. It fails if a
// sandbox says that it stays where it is and has begun to move.
func (t *Transport) stays(m *move, why string) error {
	if err := t.channel.Cancel(m.offer); err != nil {
		return t.violate(transport.Violation("it stays where it is, it says, and moves"))
	}
	t.pressure.settle(ringwire.Shape{}, why)
	t.pressure.Alert(why)
	return nil
}
