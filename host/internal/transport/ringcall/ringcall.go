// Package ringcall is the fast transport: calls through a shmchan channel that
// the host has made and the sandbox has attached to. The protocol is
// pluginkit/ringwire.
//
// A call costs no serialisation: its arguments are written where the sandbox will
// read them, and its result is copied once, out of the shared memory into the
// host's own, before anybody looks at it. The caller's goroutine does both, and
// waits in between for the calls lane. What the guest asks for meanwhile comes on
// the other lane, which one goroutine serves for as long as the channel lives
// (desk.go).
//
// The peer is hostile. shmchan bounds and checks what it writes about memory; a
// message that no working sandbox sends ends the channel here, with
// transport.ErrProtocol. Nothing that it sends grows the host's memory beyond the
// largest message of a lane and the largest result of a call.
package ringcall

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/ringfence/ringfence/host/internal/transport"
	"github.com/ringfence/ringfence/pluginkit/ringwire"
	"github.com/ringfence/ringfence/shmchan"
)

// Transport carries calls over one channel.
type Transport struct {
	channel *shmchan.Channel
	calls   *shmchan.Lane
	asks    *shmchan.Lane

	// answering is held by whoever sends on the capabilities lane.
	answering sync.Mutex
	out       []byte // the last reply, kept for its memory; guarded by answering

	pressure *Pressure
	closed   chan struct{} // the desk has gone home

	mu      sync.Mutex
	current *running // the call that the sandbox works on
	number  uint32   // of the last call
	clean   bool     // the last call ended as agreed
	ended   chan struct{}
	broken  error // the first thing that no working sandbox does
	begun   uint64
	refused uint64
}

// New makes the transport of one sandbox. It ends with the channel, which is its
// to close, and grows as pressure says.
func New(channel *shmchan.Channel, pressure *Pressure) *Transport {
	t := &Transport{
		channel: channel, pressure: pressure, calls: channel.Lane(ringwire.Calls), asks: channel.Lane(ringwire.Capabilities),
		closed: make(chan struct{}), clean: true,
	}
	go t.desk()
	return t
}

// Name is "ring".
func (*Transport) Name() string { return ringwire.Transport }

// Close ends the channel, and with it, soon, whatever runs of the transport.
func (t *Transport) Close() { _ = t.channel.Close() }

// Stats implements transport.Transport.
func (t *Transport) Stats() transport.Stats {
	ring := t.channel.Stats()
	t.mu.Lock()
	defer t.mu.Unlock()
	return transport.Stats{Calls: t.begun, Refused: t.refused, Ring: &ring, Growth: t.pressure.growth()}
}

// Idle waits until the last call has ended in the sandbox.
func (t *Transport) Idle(ctx context.Context) bool {
	for {
		t.mu.Lock()
		if t.current == nil {
			defer t.mu.Unlock()
			return t.clean && t.broken == nil && t.channel.Err() == nil
		}
		if t.ended == nil {
			t.ended = make(chan struct{})
		}
		ended := t.ended
		t.mu.Unlock()
		select {
		case <-ended:
		case <-ctx.Done():
			return false
		}
	}
}

// running is one call.
type running struct {
	number    uint32
	ctx       context.Context
	caps      transport.Capabilities
	arguments []byte // for Reads of handle
	handle    uint64 // 0: the arguments went with the call
	maxResult uint64

	part partial // of its result; the receiver's

	// Guarded by Transport.mu.
	asked int  // messages on the capabilities lane
	over  bool // the last of them has come
	done  chan struct{}
}

// Call implements transport.Transport.
func (t *Transport) Call(ctx context.Context, call transport.Call, caps transport.Capabilities) (transport.Result, error) {
	if !t.Idle(ctx) {
		return transport.Result{}, t.notIdle(ctx)
	}
	if ctx.Err() != nil {
		return transport.Result{}, context.Cause(ctx)
	}
	if err := t.grow(ctx); err != nil {
		return transport.Result{}, err
	}
	c, err := t.begin(ctx, call, caps)
	if err != nil {
		return transport.Result{}, err
	}
	defer t.relieve()
	defer t.calls.Consumer().Forget() // ctx, which its owner ends now
	if err := t.send(ctx, c, call); err != nil {
		// Of a call that was never sent the sandbox knows nothing.
		t.end(c, ctx.Err() != nil)
		return transport.Result{}, t.reason(ctx, err)
	}
	result, err := t.receive(ctx, c)
	if err == nil {
		err = t.settle(ctx, c)
	}
	var failure *transport.Failure
	switch {
	case err == nil, errors.Is(err, transport.ErrWorn):
		t.end(c, true)
		return result, err
	case errors.As(err, &failure):
		if settled := t.settle(ctx, c); settled == nil {
			t.end(c, true)
			return transport.Result{}, transport.WhoCancelled(ctx, err)
		}
	}
	if ctx.Err() != nil && t.channel.Err() == nil {
		go t.abandon(c)
		return transport.Result{}, context.Cause(ctx)
	}
	t.end(c, false)
	return transport.Result{}, t.reason(ctx, err)
}

// notIdle says why the sandbox cannot take a call.
func (t *Transport) notIdle(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := t.channel.Err(); err != nil {
		return t.reason(ctx, err)
	}
	return transport.Violation("the call before this one did not end as agreed")
}

func (t *Transport) begin(ctx context.Context, call transport.Call, caps transport.Capabilities) (*running, error) {
	c := &running{ctx: ctx, caps: caps, maxResult: call.MaxResult}
	if int64(len(call.Arguments)) > t.largest() {
		var err error
		if c.handle, err = newHandle(); err != nil {
			return nil, err
		}
		c.arguments = call.Arguments
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current != nil {
		return nil, errors.New("another call has just begun in the same sandbox")
	}
	if t.number++; t.number == 0 {
		t.number++
	}
	c.number = t.number
	t.current = c
	if caps != nil { // else it is no call; see grow
		t.begun++
	}
	return c, nil
}

// largest is how many bytes of arguments go with a call.
func (t *Transport) largest() int64 { return t.calls.Producer().Largest() - ringwire.StartSize }

// newHandle makes up a number that nobody can guess, and never 0.
func newHandle() (uint64, error) {
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		return 0, fmt.Errorf("make a handle: %w", err)
	}
	return binary.LittleEndian.Uint64(b[:])>>1 | 1<<62, nil
}

// end makes the transport ready for the next call, or, if it is not clean, good
// for nothing more.
func (t *Transport) end(c *running, clean bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current != c {
		return
	}
	t.current, t.clean = nil, t.clean && clean
	if t.ended != nil {
		close(t.ended)
		t.ended = nil
	}
}

// send writes the call into the ring.
func (t *Transport) send(ctx context.Context, c *running, call transport.Call) error {
	start := ringwire.Start{
		Tool: call.Tool, TimeoutMillis: transport.TimeLeft(ctx), MaxResult: call.MaxResult,
		ArgumentsBytes: uint64(len(call.Arguments)), Handle: c.handle,
	}
	inline := call.Arguments
	if c.handle != 0 {
		inline = nil
	}
	room, err := t.calls.Producer().Reserve(ctx, ringwire.StartSize+len(inline))
	if err != nil {
		return err
	}
	start.Put(room.Bytes())
	copy(room.Bytes()[ringwire.StartSize:], inline)
	return room.Commit(shmchan.Header{Kind: ringwire.KindCall, Call: c.number})
}

// settle waits until everything has been served that the call sent on the other
// lane, which the sandbox says with Talked and ends with Done.
func (t *Transport) settle(ctx context.Context, c *running) error {
	t.mu.Lock()
	if !c.part.talked {
		defer t.mu.Unlock()
		if c.asked > 0 {
			return t.violateLocked(transport.Violation("it ended a call that was still asking for something"))
		}
		c.over = true // what is asked for from now on is no part of the call
		return nil
	}
	if c.over {
		t.mu.Unlock()
		return nil
	}
	c.done = make(chan struct{})
	done := c.done
	t.mu.Unlock()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.channel.Done():
		return t.channel.Err()
	}
}

// abandon asks the sandbox to end a call whose caller has gone, and waits until
// it has. A sandbox that does not is killed, which ends the channel.
func (t *Transport) abandon(c *running) {
	ctx := context.Background()
	t.answering.Lock()
	err := t.asks.Producer().Send(ctx, shmchan.Header{Kind: ringwire.KindCancel, Call: c.number}, nil)
	t.answering.Unlock()
	if err == nil && !c.part.last {
		_, err = t.receive(ctx, c)
	}
	var failure *transport.Failure
	if err == nil || errors.As(err, &failure) || errors.Is(err, transport.ErrWorn) {
		err = t.settle(ctx, c)
	}
	t.end(c, err == nil)
}

// violate ends the channel because of something that no working sandbox does.
func (t *Transport) violate(err error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.violateLocked(err)
}

func (t *Transport) violateLocked(err error) error {
	if t.broken == nil {
		t.broken = err
	}
	_ = t.channel.Close()
	return t.broken
}

// reason says why a call has failed that brought no message of its own.
func (t *Transport) reason(ctx context.Context, err error) error {
	t.mu.Lock()
	broken := t.broken
	t.mu.Unlock()
	switch {
	case broken != nil:
		return broken
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, transport.ErrProtocol), errors.Is(err, transport.ErrLost):
		return err
	case errors.Is(err, shmchan.ErrViolation):
		return transport.Violation("%v", err)
	case errors.Is(err, shmchan.ErrTimeout):
		return transport.Violation("it made no progress within the message timeout")
	}
	return fmt.Errorf("%w: %w", transport.ErrLost, err)
}
