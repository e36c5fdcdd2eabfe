package ringcall

import (
	"context"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ringfence/ringfence/host/internal/transport"
	"github.com/ringfence/ringfence/pluginkit/ringserve"
	"github.com/ringfence/ringfence/pluginkit/ringwire"
	"github.com/ringfence/ringfence/pluginkit/wire"
	"github.com/ringfence/ringfence/shmchan"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

// pipe makes both ends of a channel in this process.
func pipe(t testing.TB, ring uint64, timeout time.Duration) (*Transport, *shmchan.Channel) {
	t.Helper()
	host, sandbox, err := shmchan.Pipe(ringwire.ShapeOf(ring, timeout).Config())
	if err != nil {
		t.Fatal(err)
	}
	tr := New(host, NewPressure(Growth{}))
	t.Cleanup(func() {
		tr.Close()
		_ = sandbox.Close()
		<-tr.closed
	})
	return tr, sandbox
}

// peer is a sandbox that was taken over: it says what a test tells it to.
type peer struct {
	t       *testing.T
	channel *shmchan.Channel
	call    uint32
	start   ringwire.Start
}

// hostile makes a transport whose calls end up in script.
func hostile(t *testing.T, script func(p *peer)) *Transport {
	t.Helper()
	tr, sandbox := pipe(t, 64<<10, 200*time.Millisecond)
	over := make(chan struct{})
	go func() {
		defer close(over)
		for {
			f, err := sandbox.Lane(ringwire.Calls).Consumer().Peek(context.Background())
			if err != nil {
				return
			}
			start, err := ringwire.ParseStart(f.Bytes())
			if err != nil {
				t.Error(err)
			}
			script(&peer{t: t, channel: sandbox, call: f.Header().Call, start: start})
			_ = f.Release()
		}
	}()
	t.Cleanup(func() {
		tr.Close()
		<-over
	})
	return tr
}

// say sends a message. The channel may be at its end.
func (p *peer) say(lane int, kind ringwire.Kind, b []byte) error {
	return p.sayOf(lane, kind, p.call, b)
}

func (p *peer) sayOf(lane int, kind ringwire.Kind, call uint32, b []byte) error {
	return p.channel.Lane(lane).Producer().Send(context.Background(), shmchan.Header{Kind: kind, Call: call}, b)
}

// read asks and waits for the piece.
func (p *peer) read(r ringwire.Read) (ringwire.Piece, string) {
	b := r.Bytes()
	if err := p.say(ringwire.Capabilities, ringwire.KindRead, b[:]); err != nil {
		p.t.Error(err)
	}
	_, message, err := p.channel.Lane(ringwire.Capabilities).Consumer().Recv(context.Background(), nil)
	if err != nil {
		p.t.Error(err)
		return ringwire.Piece{}, ""
	}
	piece, err := ringwire.ParsePiece(message)
	if err != nil || piece.ID != r.ID {
		p.t.Errorf("%+v, %v", piece, err)
	}
	return piece, string(message[ringwire.PieceSize:])
}

func (p *peer) done() {
	_ = p.say(ringwire.Capabilities, ringwire.KindDone, nil)
	_ = p.say(ringwire.Calls, ringwire.KindResult|ringwire.Talked, []byte("{}"))
}

// desk notes what a call asked for.
type testDesk struct {
	handle func(*wire.CapabilityRequest) *wire.CapabilityReply

	mu    sync.Mutex
	over  bool // the call has returned
	late  int  // uses after that
	lines []string
	asked int
}

func (d *testDesk) use() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.over {
		d.late++
	}
}

func (d *testDesk) Handle(_ context.Context, r *wire.CapabilityRequest) *wire.CapabilityReply {
	d.use()
	d.mu.Lock()
	d.asked++
	d.mu.Unlock()
	if d.handle != nil {
		return d.handle(r)
	}
	return &wire.CapabilityReply{Id: r.GetId(), Code: wire.Code_CODE_NOT_FOUND, Message: "nothing here"}
}

func (d *testDesk) Log(_ int32, line string) {
	d.use()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, line)
}

func (d *testDesk) call(t *testing.T, tr *Transport, args []byte) (transport.Result, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r, err := tr.Call(ctx, transport.Call{Arguments: args, MaxResult: 1 << 20}, d)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.over = true
	return r, err
}

// honest serves with the real sandbox side.
func honest(t testing.TB, ring uint64, handler ringserve.Handler) *Transport {
	t.Helper()
	tr, sandbox := pipe(t, ring, 5*time.Second)
	over := make(chan error, 1)
	go func() { over <- ringserve.Serve(sandbox, handler) }()
	t.Cleanup(func() {
		tr.Close()
		if err := <-over; err != nil {
			t.Error(err)
		}
	})
	return tr
}

type echo struct{}

func (echo) Call(c *ringserve.Call) {
	args := c.Inline()
	if c.Handle != 0 {
		if err := c.Pull(func(_ uint64, b []byte) error { args = append(args, b...); return nil }); err != nil {
			_ = c.Fail(&wire.Failure{Kind: wire.FailureKind_FAILURE_INTERNAL, Message: err.Error()})
			return
		}
	} else {
		args = append([]byte(nil), args...)
	}
	_ = c.Result(c.Tool, uint64(len(args)), func(offset uint64, into []byte) *wire.Failure {
		copy(into, args[offset:])
		return nil
	})
}
