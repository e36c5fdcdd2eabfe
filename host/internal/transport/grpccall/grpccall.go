// Package grpccall is the portable transport: calls over go-plugin's gRPC
// connection. It works with every sandbox, and copies everything.
package grpccall

import (
	"context"
	"errors"
	"io"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ringfence/ringfence/host/internal/decode"
	"github.com/ringfence/ringfence/host/internal/printable"
	"github.com/ringfence/ringfence/host/internal/transport"
	"github.com/ringfence/ringfence/pluginkit"
	"github.com/ringfence/ringfence/pluginkit/wire"
)

// Transport carries calls over one connection.
type Transport struct {
	client wire.SandboxClient

	mu sync.Mutex
	// ended is closed when the last call has ended in the sandbox, too.
	ended chan struct{}
	// clean says that it ended with a last frame, as agreed.
	clean   bool
	calls   uint64
	refused uint64

	taken *rate.Limiter // bytes that are taken from the sandbox
}

// New makes the transport of one sandbox, from which so many bytes a second are
// taken; 0 is no limit. One second's worth goes at once, as over a ring: what a
// plugin may send is not for it to choose by the transport.
func New(conn grpc.ClientConnInterface, bytesPerSecond uint64) *Transport {
	ended := make(chan struct{})
	close(ended)
	taken := rate.NewLimiter(rate.Inf, 0)
	if bytesPerSecond > 0 {
		taken = rate.NewLimiter(rate.Limit(bytesPerSecond), int(min(bytesPerSecond, math.MaxInt32)))
	}
	return &Transport{client: wire.NewSandboxClient(conn), ended: ended, clean: true, taken: taken}
}

// Name is "grpc".
func (*Transport) Name() string { return "grpc" }

// Stats implements transport.Transport.
func (t *Transport) Stats() transport.Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	return transport.Stats{Calls: t.calls, Refused: t.refused}
}

// Idle waits until the last call has ended in the sandbox.
func (t *Transport) Idle(ctx context.Context) bool {
	t.mu.Lock()
	ended := t.ended
	t.mu.Unlock()
	select {
	case <-ended: // also when ctx has ended: whoever does not want to wait asks so
	default:
		select {
		case <-ended:
		case <-ctx.Done():
			return false
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.clean
}

// Call implements transport.Transport.
func (t *Transport) Call(ctx context.Context, call transport.Call, caps transport.Capabilities) (transport.Result, error) {
	if !t.Idle(ctx) {
		if err := context.Cause(ctx); err != nil {
			return transport.Result{}, err
		}
		return transport.Result{}, transport.Violation("the call before this one did not end as agreed")
	}
	if ctx.Err() != nil {
		return transport.Result{}, context.Cause(ctx)
	}
	// The stream outlives ctx, so that a cancelled sandbox can still say that
	// it is done; killing the process ends it in any case.
	streamCtx, abandon := context.WithCancel(context.WithoutCancel(ctx))
	ended := t.begin()
	c := &running{transport: t, call: call, caps: caps, ctx: ctx, started: make(chan struct{}), sent: make(chan struct{})}
	var err error
	if c.stream, err = t.open(ctx, streamCtx, abandon, ended, &c.size); err != nil {
		return transport.Result{}, err
	}
	answer := make(chan outcome, 1)
	go func() {
		clean := c.run(answer)
		abandon()
		<-c.sent // a stream that has ended takes no more frames
		t.end(ended, clean)
	}()
	select {
	case o := <-answer:
		return o.result, transport.WhoCancelled(ctx, o.err)
	case <-ctx.Done():
		c.cancel()
		return transport.Result{}, context.Cause(ctx)
	}
}

// openBound is how long a sandbox may take to take the stream of a call that is
// cancelled already.
const openBound = time.Second

// open begins the stream, or ends the call. A sandbox may take no more streams
// (HTTP/2 lets it say so at any time), and then gRPC waits for one: ctx ends
// that for the caller. A sandbox that takes it a moment later has lost nothing,
// since nothing has been asked of it.
//
// size is set to the size of each frame that comes.
func (t *Transport) open(ctx, streamCtx context.Context, abandon func(), ended chan struct{}, size *int) (grpc.BidiStreamingClient[wire.HostFrame, wire.SandboxFrame], error) {
	type opening struct {
		stream grpc.BidiStreamingClient[wire.HostFrame, wire.SandboxFrame]
		err    error
	}
	opened := make(chan opening, 1)
	go func() {
		codec := decode.NewCodec(func(bytes int) { *size = bytes })
		stream, err := t.client.Call(streamCtx, grpc.ForceCodecV2(codec))
		opened <- opening{stream, err}
	}()
	select {
	case o := <-opened:
		if o.err != nil {
			abandon()
			t.end(ended, false)
			return nil, lost(o.err)
		}
		return o.stream, nil
	case <-ctx.Done():
	}
	go func() {
		late := time.AfterFunc(openBound, abandon)
		o := <-opened
		late.Stop()
		abandon()
		t.end(ended, o.err == nil)
	}()
	return nil, context.Cause(ctx)
}

func (t *Transport) begin() chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = make(chan struct{})
	t.calls++
	return t.ended
}

func (t *Transport) end(ended chan struct{}, clean bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.clean = clean
	close(ended)
}

type outcome struct {
	result transport.Result
	err    error
}

// running is one call.
type running struct {
	transport *Transport
	stream    grpc.BidiStreamingClient[wire.HostFrame, wire.SandboxFrame]
	call      transport.Call
	caps      transport.Capabilities
	ctx       context.Context

	send    sync.Mutex    // a gRPC stream has one sender at a time
	started chan struct{} // closed when the start is sent, or cannot be
	sent    chan struct{} // closed when the arguments are sent, or cannot be
	size    int           // of the frame that came last, as it came
	last    bool          // the sandbox sent its last frame
}

// run answers as soon as the last frame is there, and then waits for the stream
// to end: only then is the sandbox ready for another call. It reports whether
// everything ended as agreed.
func (c *running) run(answer chan<- outcome) (clean bool) {
	go func() {
		defer close(c.sent)
		c.sendArguments()
	}()
	result, err := c.receive()
	answer <- outcome{result, err}
	if !c.last {
		return false
	}
	_, err = c.stream.Recv()
	return errors.Is(err, io.EOF)
}

// sendArguments runs beside receive: a sandbox that logs before it has read
// everything must not block both sides. A failure to send shows in receive.
func (c *running) sendArguments() {
	start := &wire.CallStart{
		Tool: c.call.Tool, ArgumentsBytes: uint64(len(c.call.Arguments)),
		TimeoutMs: transport.TimeLeft(c.ctx), MaxResultBytes: c.call.MaxResult,
	}
	err := c.write(&wire.HostFrame{Kind: &wire.HostFrame_Start{Start: start}})
	close(c.started)
	if err != nil {
		return
	}
	for rest := c.call.Arguments; len(rest) > 0; {
		piece := rest[:min(len(rest), pluginkit.MaxPiece)]
		rest = rest[len(piece):]
		if c.ctx.Err() != nil || c.write(&wire.HostFrame{Kind: &wire.HostFrame_Arguments{Arguments: piece}}) != nil {
			return
		}
	}
}

// cancel goes behind the start: a call that is cancelled at once would else begin
// with a frame that is none, and cost the sandbox.
func (c *running) cancel() {
	go func() {
		<-c.started
		_ = c.write(&wire.HostFrame{Kind: &wire.HostFrame_Cancel{Cancel: &wire.Cancel{}}})
	}()
}

func (c *running) write(frame *wire.HostFrame) error {
	c.send.Lock()
	defer c.send.Unlock()
	return c.stream.Send(frame)
}

// next takes a frame, when the rate lets it. Until then the sandbox fills the
// stream's window, and waits.
func (c *running) next() (*wire.SandboxFrame, error) {
	frame, err := c.stream.Recv()
	if err != nil || c.transport.taken.Limit() == rate.Inf {
		return frame, err
	}
	for left := c.size; left > 0; {
		n := min(left, c.transport.taken.Burst())
		if err := c.transport.taken.WaitN(c.stream.Context(), n); err != nil {
			return nil, err
		}
		left -= n
	}
	return frame, nil
}

// count counts a read that was refused because of its handle, offset or length.
func (t *Transport) count(request *wire.CapabilityRequest, reply *wire.CapabilityReply) {
	code := reply.GetCode()
	if request.GetBodyRead() == nil || code != wire.Code_CODE_NOT_FOUND && code != wire.Code_CODE_INVALID {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.refused++
}

// receive serves the guest until its last frame.
func (c *running) receive() (result transport.Result, err error) {
	defer transport.Recover(&err)
	for first := true; ; first = false {
		frame, err := c.next()
		if first && status.Code(err) == codes.Aborted {
			return transport.Result{}, transport.ErrWorn
		}
		if err != nil {
			return transport.Result{}, lost(err)
		}
		switch kind := frame.Kind.(type) {
		case *wire.SandboxFrame_Request:
			reply := c.caps.Handle(c.ctx, kind.Request)
			c.transport.count(kind.Request, reply)
			if err := c.write(&wire.HostFrame{Kind: &wire.HostFrame_Reply{Reply: reply}}); err != nil && !errors.Is(err, io.EOF) {
				return transport.Result{}, lost(err)
			}
		case *wire.SandboxFrame_Log:
			c.caps.Log(kind.Log.GetLevel(), printable.Line(kind.Log.GetMessage(), pluginkit.MaxLog))
		case *wire.SandboxFrame_Result:
			return c.receiveResult(kind.Result)
		case *wire.SandboxFrame_Failure:
			c.last = true
			return transport.Result{}, &transport.Failure{
				Kind:    kind.Failure.GetKind(),
				Message: printable.Line(kind.Failure.GetMessage(), pluginkit.MaxFailure),
			}
		default:
			return transport.Result{}, transport.Violation("a frame of kind %T before the result", kind)
		}
	}
}

// receiveResult collects the result. Memory is granted as bytes arrive, never
// on the declared length.
func (c *running) receiveResult(head *wire.ResultHead) (transport.Result, error) {
	declared, how := head.GetResultBytes(), transport.Status(head.GetStatus())
	if declared > c.call.MaxResult {
		return transport.Result{}, &transport.Failure{
			Kind:    wire.FailureKind_FAILURE_LIMIT,
			Message: tooLarge(declared, c.call.MaxResult),
		}
	}
	if how > transport.StatusBadArguments {
		return transport.Result{}, transport.Violation("result status %d (maximum %d)", how, transport.StatusBadArguments)
	}
	var data []byte
	for uint64(len(data)) < declared {
		frame, err := c.next()
		if err != nil {
			return transport.Result{}, lost(err)
		}
		piece, ok := frame.Kind.(*wire.SandboxFrame_Data)
		switch {
		case !ok:
			return transport.Result{}, transport.Violation("a frame of kind %T inside a result", frame.Kind)
		case len(piece.Data) == 0:
			return transport.Result{}, transport.Violation("an empty piece of a result")
		case uint64(len(data)+len(piece.Data)) > declared:
			return transport.Result{}, transport.Violation("%d bytes of a result that was declared as %d", len(data)+len(piece.Data), declared)
		}
		data = append(data, piece.Data...)
	}
	c.last = true
	return transport.Result{Status: how, Data: data}, nil
}
