package ringcall

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ringfence/ringfence/host/internal/transport"
	"github.com/ringfence/ringfence/pluginkit/ringserve"
	"github.com/ringfence/ringfence/pluginkit/ringwire"
	"github.com/ringfence/ringfence/shmchan"
)

// growing is a transport whose channel may grow, and both its ends.
type growing struct {
	*Transport
	sandbox *shmchan.Channel
	pressed *Pressure

	mu     sync.Mutex
	offer  *shmchan.Offer // the last that was handed over
	sizes  []uint64
	alerts []string
}

func newGrowing(t *testing.T, largest uint64) *growing {
	t.Helper()
	g := &growing{}
	shape := ringwire.ShapeOf(64<<10, 5*time.Second)
	g.pressed = NewPressure(Growth{
		Shape: shape, Largest: largest,
		Send: func(o *shmchan.Offer) error {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.offer = o
			return nil
		},
		Grown: func(ring, capabilities uint64, windows bool) {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.sizes = append(g.sizes, ring)
			if capabilities != ring || windows {
				t.Errorf("capabilities %d, windows %t", capabilities, windows)
			}
		},
		Alert: func(why string) {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.alerts = append(g.alerts, why)
		},
	})
	config := shape.Config()
	config.OnFill = g.pressed.Fill
	host, sandbox, err := shmchan.Pipe(config)
	if err != nil {
		t.Fatal(err)
	}
	g.Transport, g.sandbox = New(host, g.pressed), sandbox
	t.Cleanup(func() {
		g.Close()
		_ = sandbox.Close()
		<-g.closed
	})
	return g
}

// serve serves with the real sandbox side.
func (g *growing) serve(t *testing.T, handler ringserve.Handler) {
	over := make(chan error, 1)
	go func() { over <- ringserve.Serve(g.sandbox, handler) }()
	t.Cleanup(func() {
		g.Close()
		if err := <-over; err != nil {
			t.Error(err)
		}
	})
}

// fill makes calls that fill the ring of results, until there is memory to move to,
// or an alert. A reader that is quick finds the ring less than full now and then.
func (g *growing) fill(t *testing.T, size int) {
	t.Helper()
	args := bytes.Repeat([]byte("x"), size)
	alerts := g.Stats().Growth.Alerts
	for calls := 0; !g.isReady() && g.Stats().Growth.Alerts == alerts; calls++ {
		r, err := (&testDesk{}).call(t, g.Transport, args)
		if err != nil || !bytes.Equal(r.Data, args) || calls > 1000 {
			t.Fatalf("%d bytes, %v, after %d calls", len(r.Data), err, calls)
		}
		for g.isPreparing() {
			time.Sleep(time.Millisecond) // nothing tells
		}
	}
}

func (g *growing) isReady() bool {
	g.pressed.mu.Lock()
	defer g.pressed.mu.Unlock()
	return g.pressed.next != nil
}

func (g *growing) isPreparing() bool {
	g.pressed.mu.Lock()
	defer g.pressed.mu.Unlock()
	return g.pressed.preparing
}

type growingEcho struct {
	echo
	g *growing
}

func (e growingEcho) Grow(ringwire.Shape) (bool, error) {
	e.g.mu.Lock()
	defer e.g.mu.Unlock()
	return false, e.g.sandbox.AdoptPipe(e.g.offer)
}

func TestARingThatStaysFullGrowsAndThenRaisesAnAlert(t *testing.T) {
	g := newGrowing(t, 192<<10)
	g.serve(t, growingEcho{g: g})
	for step, want := range []uint64{128 << 10, 192 << 10} {
		g.fill(t, 1<<20)
		if _, err := (&testDesk{}).call(t, g.Transport, []byte("the first in larger memory")); err != nil {
			t.Fatal(err)
		}
		lanes := g.channel.Stats().Lanes
		for _, ring := range []shmchan.RingStats{lanes[0].Outbound, lanes[0].Inbound, lanes[1].Outbound, lanes[1].Inbound} {
			if ring.Size != int64(want) {
				t.Errorf("a ring of %d bytes, want %d", ring.Size, want)
			}
		}
		if got := g.channel.Epoch(); got != uint64(step+2) {
			t.Errorf("epoch %d", got)
		}
	}
	g.fill(t, 1<<20)
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.sizes) != 2 || g.sizes[1] != 192<<10 || len(g.alerts) == 0 || !strings.Contains(g.alerts[0], "196608 bytes") {
		t.Errorf("%d, %q", g.sizes, g.alerts)
	}
	if s := g.Stats().Growth; s.Grown != 2 || s.Alerts == 0 || s.Full == 0 {
		t.Errorf("%+v", s)
	}
}

// A burst is no reason to grow, and neither are calls that leave room.
func TestARingThatIsFullNowAndThenKeepsItsSize(t *testing.T) {
	g := newGrowing(t, 1<<20)
	g.serve(t, growingEcho{g: g})
	for range 3 * sustainedCalls {
		for _, size := range []int{1 << 20, 1 << 20, 100} {
			if _, err := (&testDesk{}).call(t, g.Transport, make([]byte, size)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if s := g.Stats().Growth; s.Grown != 0 || s.Alerts != 0 || g.channel.Epoch() != 1 {
		t.Errorf("%+v", s)
	}
}

// A sandbox that cannot or does not want to move keeps what it has, and calls go on.
func TestASandboxThatDoesNotTakeLargerMemoryKeepsItsRing(t *testing.T) {
	for name, handler := range map[string]ringserve.Handler{
		"does not know of it": echo{},
		"refuses":             refusing{},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGrowing(t, 1<<20)
			g.serve(t, handler)
			g.fill(t, 1<<20) // there is memory
			g.fill(t, 1<<20)
			if _, err := (&testDesk{}).call(t, g.Transport, []byte("which it does not take")); err != nil {
				t.Fatal(err)
			}
			g.fill(t, 1<<20)
			if s := g.Stats(); s.Growth.Grown != 0 || s.Growth.Alerts < 2 {
				t.Errorf("%+v", s)
			}
			g.mu.Lock()
			defer g.mu.Unlock()
			if len(g.alerts) == 0 || !strings.Contains(g.alerts[0], "does not take it: ") || strings.Contains(g.alerts[0], "\x1b") {
				t.Errorf("%q", g.alerts)
			}
		})
	}
}

// A sandbox that has refused keeps the host from nothing: the memory is taken back.
// One that refuses and moves all the same, or moves in part, is ended.
func TestMemoryThatIsNotTakenIsTakenBack(t *testing.T) {
	g := newGrowing(t, 1<<20)
	g.serve(t, refusing{})
	g.fill(t, 1<<20)
	if _, err := (&testDesk{}).call(t, g.Transport, []byte("which it does not take")); err != nil {
		t.Fatal(err)
	}
	offer, err := g.channel.Prepare(g.pressed.Shape.Config())
	if err != nil {
		t.Fatalf("other memory after that: %v", err)
	}
	if err := g.channel.Cancel(offer); err != nil {
		t.Error(err)
	}
}

// Memory that cannot be handed over is an alert, and calls go on in what there is.
func TestMemoryThatCannotBeHandedOver(t *testing.T) {
	g := newGrowing(t, 1<<20)
	g.serve(t, growingEcho{g: g})
	g.pressed.Send = func(*shmchan.Offer) error { return errors.New("the socket is closed") }
	g.fill(t, 1<<20)
	for range 3 {
		if _, err := (&testDesk{}).call(t, g.Transport, []byte("all the same")); err != nil {
			t.Fatal(err)
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.alerts) != 1 || !strings.Contains(g.alerts[0], "could not be handed over: the socket is closed") {
		t.Errorf("%q", g.alerts)
	}
}

// While memory is being made, or waits for the next call, no other is made.
func TestMemoryIsMadeOnceAtATime(t *testing.T) {
	g := newGrowing(t, 1<<20)
	g.serve(t, growingEcho{g: g})
	full := func() (grow bool) {
		for range sustainedCalls {
			g.pressed.Fill(shmchan.FillEvent{Level: 90})
			grow, _ = g.pressed.ended()
		}
		return grow
	}
	if !full() {
		t.Fatal("it does not grow")
	}
	if full() {
		t.Error("it grows while its memory is being made")
	}
	g.pressed.prepare(g.channel)
	if !g.isReady() || full() {
		t.Error("it grows again before it has grown")
	}
}

// Nobody will come for memory that is ready when the channel ends.
func TestMemoryThatIsReadyEndsWithTheChannel(t *testing.T) {
	descriptors := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip(err)
		}
		return len(entries)
	}
	before := descriptors()
	for range 5 {
		shape := ringwire.ShapeOf(64<<10, time.Second)
		offer, err := shmchan.Create(shape.Config())
		if errors.Is(err, shmchan.ErrUnsupported) {
			t.Skip(err)
		} else if err != nil {
			t.Fatal(err)
		}
		_ = offer.Close()
		p := NewPressure(Growth{Shape: shape, Largest: 1 << 20, Send: func(*shmchan.Offer) error { return nil }})
		tr := New(offer.Channel(), p)
		p.prepare(offer.Channel())
		if ready, _ := p.ready(); ready == nil {
			t.Fatal("there is none")
		}
		tr.Close()
		<-tr.closed
	}
	if after := descriptors(); after > before {
		t.Errorf("%d descriptors, %d before", after, before)
	}
}

// moveInPart moves the lane of calls only, and says so or not.
func (g *growing) moveInPart(number uint32, says ringwire.Kind) {
	asks, err := g.sandbox.Lane(ringwire.Capabilities).Producer().Reserve(context.Background(), 1) // which keeps it
	if err != nil {
		return
	}
	defer asks.Abandon()
	_ = g.sandbox.AdoptPipe(g.offer)
	_ = g.sandbox.Lane(ringwire.Calls).Producer().Send(context.Background(), shmchan.Header{Kind: says, Call: number}, nil)
	<-g.channel.Done()
}

func TestASandboxThatMovesInPartIsEnded(t *testing.T) {
	for name, c := range map[string]struct {
		want   error
		answer func(g *growing, number uint32)
	}{
		"and says that it stays": {transport.ErrProtocol, func(g *growing, number uint32) {
			_ = g.sandbox.AdoptPipe(g.offer)
			_ = g.sandbox.Lane(ringwire.Calls).Producer().Send(context.Background(), shmchan.Header{Kind: ringwire.KindStays, Call: number}, nil)
		}},
		"with the lane of calls only":                         {transport.ErrLost, func(g *growing, number uint32) { g.moveInPart(number, ringwire.KindGrown) }},
		"with the lane of calls only, and says that it stays": {transport.ErrProtocol, func(g *growing, number uint32) { g.moveInPart(number, ringwire.KindStays) }},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGrowing(t, 1<<20)
			g.pressed.patience = 100 * time.Millisecond
			over := make(chan struct{})
			go func() {
				defer close(over)
				f, err := g.sandbox.Lane(ringwire.Calls).Consumer().Peek(context.Background())
				if err != nil {
					return
				}
				_ = f.Release()
				c.answer(g, f.Header().Call)
			}()
			g.pressed.mu.Lock()
			g.pressed.preparing = true
			g.pressed.mu.Unlock()
			g.pressed.prepare(g.channel)
			_, err := (&testDesk{}).call(t, g.Transport, nil)
			g.Close()
			<-over
			if !errors.Is(err, c.want) {
				t.Errorf("%v", err)
			}
			if s := g.Stats().Growth; s.Grown != 0 {
				t.Errorf("%+v", s)
			}
		})
	}
}

type refusing struct{ echo }

func (refusing) Grow(ringwire.Shape) (bool, error) { return false, errors.New("no\x1b[2J") }

// What no working sandbox answers to the offer of memory ends the channel.
func TestWrongAnswersToLargerMemoryAreViolations(t *testing.T) {
	for name, answer := range map[string]struct {
		kind  ringwire.Kind
		call  uint32
		bytes []byte
	}{
		"a result":               {ringwire.KindResult, 0, []byte("{}")},
		"of another call":        {ringwire.KindGrown, 7, nil},
		"with words":             {ringwire.KindGrown, 0, make([]byte, 64)},
		"a reason without end":   {ringwire.KindStays, 0, make([]byte, 300)},
		"a reason in fragments":  {ringwire.KindStays, 0, make([]byte, 60<<10)},
		"grown, and has not":     {ringwire.KindGrown, 0, nil},
		"grown, and has asked":   {ringwire.KindGrown | ringwire.Talked, 0, nil},
		"worn out at the border": {ringwire.KindWorn, 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGrowing(t, 1<<20)
			over := make(chan struct{})
			go func() {
				defer close(over)
				g.answer(answer.kind, answer.call, answer.bytes)
			}()
			defer func() { <-over }()
			g.pressed.mu.Lock()
			g.pressed.preparing = true
			g.pressed.mu.Unlock()
			g.pressed.prepare(g.channel)
			if _, err := (&testDesk{}).call(t, g.Transport, nil); !errors.Is(err, transport.ErrProtocol) {
				t.Errorf("%v", err)
			}
			if g.channel.Err() == nil {
				t.Error("the channel lives")
			}
		})
	}
}

// While memory is exchanged no guest runs, and there is nobody in the host whom a
// message could be for. One that was carried out would have ended the host.
func TestAMessageWhileMemoryIsExchangedIsAViolation(t *testing.T) {
	for _, kind := range []ringwire.Kind{ringwire.KindLog, ringwire.KindRequest, ringwire.KindRead, ringwire.KindDone} {
		t.Run(ringwire.KindName(kind), func(t *testing.T) {
			g := newGrowing(t, 1<<20)
			over := make(chan struct{})
			go func() {
				defer close(over)
				f, err := g.sandbox.Lane(ringwire.Calls).Consumer().Peek(context.Background())
				if err != nil {
					return
				}
				_ = f.Release()
				_ = g.sandbox.Lane(ringwire.Capabilities).Producer().Send(context.Background(), shmchan.Header{Kind: kind, Call: f.Header().Call}, make([]byte, 32))
			}()
			defer func() { <-over }()
			g.pressed.mu.Lock()
			g.pressed.preparing = true
			g.pressed.mu.Unlock()
			g.pressed.prepare(g.channel)
			if _, err := (&testDesk{}).call(t, g.Transport, nil); !errors.Is(err, transport.ErrProtocol) {
				t.Errorf("%v", err)
			}
		})
	}
}

// answer takes one message and answers it.
func (g *growing) answer(kind ringwire.Kind, call uint32, b []byte) {
	lane := g.sandbox.Lane(ringwire.Calls)
	f, err := lane.Consumer().Peek(context.Background())
	if err != nil {
		return
	}
	_ = f.Release()
	_ = lane.Producer().Send(context.Background(), shmchan.Header{Kind: kind, Call: f.Header().Call + call}, b)
}

// A caller that goes away while the sandbox moves costs nothing: the move ends, and
// the next call goes over the new memory.
func TestACallerThatLeavesDuringAMove(t *testing.T) {
	g := newGrowing(t, 1<<20)
	asked, goOn := make(chan struct{}), make(chan struct{})
	g.serve(t, slowly{growingEcho{g: g}, asked, goOn})
	g.fill(t, 1<<20)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	if _, err := g.Call(ctx, transport.Call{Arguments: []byte("{}"), MaxResult: 100}, &testDesk{}); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	close(goOn)
	if r, err := (&testDesk{}).call(t, g.Transport, []byte("after")); err != nil || string(r.Data) != "after" {
		t.Errorf("%q, %v", r.Data, err)
	}
	if s := g.Stats().Growth; s.Grown != 1 {
		t.Errorf("%+v", s)
	}
}

type slowly struct {
	growingEcho
	asked, goOn chan struct{}
}

func (s slowly) Grow(shape ringwire.Shape) (bool, error) {
	close(s.asked)
	<-s.goOn
	return s.growingEcho.Grow(shape)
}
