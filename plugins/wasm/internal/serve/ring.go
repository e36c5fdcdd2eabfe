package serve

import (
	"context"
	"errors"
	"os"

	"github.com/ringfence/ringfence/pluginkit/ringserve"
	"github.com/ringfence/ringfence/pluginkit/ringwire"
	"github.com/ringfence/ringfence/pluginkit/wire"
	"github.com/ringfence/ringfence/plugins/wasm/internal/guest"
	"github.com/ringfence/ringfence/shmchan"
)

// Ring is an attached channel and its memory files, which stay open so that pages
// of them can become windows of a guest.
type Ring struct {
	Channel *shmchan.Channel
	Files   [2]*os.File // host to sandbox, sandbox to host
	// More takes the files of larger memory, which the host has sent.
	More func() ([2]*os.File, error)
}

// Close lets go of everything.
func (r *Ring) Close() {
	_ = r.Channel.Close()
	closeFiles(r.Files)
}

func closeFiles(files [2]*os.File) {
	for _, f := range files {
		_ = f.Close()
	}
}

// grow moves the channel to the memory that the host has sent. The files of the
// old one are the caller's to close, when no guest is given windows of it any more.
func (r *Ring) grow(shape ringwire.Shape) (old [2]*os.File, err error) {
	files, err := r.More()
	if err != nil {
		return old, err
	}
	if err := r.Channel.Adopt(files, shape.Config()); err != nil {
		closeFiles(files)
		return old, err
	}
	old, r.Files = r.Files, files
	return old, nil
}

// pages are the areas of the calls lane.
func (r *Ring) pages() *guest.Pages {
	in, out := r.Channel.Area(ringwire.Calls, false), r.Channel.Area(ringwire.Calls, true)
	return &guest.Pages{
		Inbound:  guest.Area{FD: r.Files[0].Fd(), Offset: in.Offset, Size: uint64(in.Size)},
		Outbound: guest.Area{FD: r.Files[1].Fd(), Offset: out.Offset, Size: uint64(out.Size)},
	}
}

// ringCalls serves the calls that come over the ring. The guest runs in the
// goroutine of ringserve.Serve.
type ringCalls struct {
	server *Server
	plugin *guest.Plugin
	ring   *Ring
	epoch  uint64 // of the memory in the windows
}

// Grow implements ringserve.Grower.
func (r *ringCalls) Grow(shape ringwire.Shape) (windows bool, err error) {
	old, err := r.ring.grow(shape)
	if err != nil {
		return false, err
	}
	windows = r.plugin.Repage(r.ring.pages())
	r.epoch = r.ring.Channel.Area(ringwire.Calls, true).Epoch
	closeFiles(old)
	return windows, nil
}

// placer finds the places of a call's bytes.
type placer struct {
	*ringserve.Call
	epoch uint64
	at    guest.Placed
}

// Place implements guest.Placer.
func (p *placer) Place() *guest.Placed {
	arguments, ok := p.ArgumentsAt()
	if !ok || arguments.Epoch != p.epoch {
		return nil
	}
	room, err := p.Room()
	if err != nil || room.Epoch != p.epoch {
		return nil
	}
	p.at = guest.Placed{Arguments: arguments.At, Room: room.At, RoomSize: room.Size}
	return &p.at
}

// Call implements ringserve.Handler.
func (r *ringCalls) Call(c *ringserve.Call) {
	if r.server.worn(r.plugin) {
		_ = c.Worn()
		return
	}
	call, failed := r.plugin.Begin(c.Context(), newRingBroker(c), c.Tool, c.ArgumentsBytes, &placer{Call: c, epoch: r.epoch})
	if failed == nil {
		defer r.plugin.Settle(call)
		if call.Missing() > 0 {
			failed = ringArguments(c, call)
		}
	}
	if failed != nil {
		_ = c.Fail(failure(failed))
		return
	}
	code, length, failed := call.Run(c.Context())
	if failed != nil {
		r.server.noteOverflow(failed)
		_ = c.Fail(failure(failed))
		return
	}
	_ = c.Result(code, length, func(offset uint64, into []byte) *wire.Failure {
		if offset == 0 && uint64(len(into)) == length && call.InPlace() {
			return nil // the guest has written it there
		}
		if failed := call.ResultInto(offset, into); failed != nil {
			return failure(failed)
		}
		return nil
	})
}

// ringArguments writes the arguments into the guest's memory, from where they lie
// in the ring, and gives the ring's memory back.
func ringArguments(c *ringserve.Call, call *guest.Call) *guest.Failure {
	var failed *guest.Failure
	if inline := c.Inline(); inline != nil {
		if len(inline) > 0 {
			failed = call.Argument(inline)
		}
		if err := c.Release(); err != nil && failed == nil {
			failed = &guest.Failure{Kind: wire.FailureKind_FAILURE_INTERNAL, Message: "the ring is lost"}
		}
		return failed
	}
	err := c.Pull(func(_ uint64, b []byte) error {
		if failed = call.Argument(b); failed != nil {
			return failed
		}
		return nil
	})
	switch {
	case failed != nil:
		return failed
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &guest.Failure{Kind: wire.FailureKind_FAILURE_CANCELED, Message: errCanceled.Error()}
	case err != nil:
		return &guest.Failure{Kind: wire.FailureKind_FAILURE_INTERNAL, Message: err.Error()}
	}
	return nil
}

// ringBroker is broker over the ring.
type ringBroker struct {
	questions
	call *ringserve.Call
}

var _ guest.Capabilities = (*ringBroker)(nil)

func newRingBroker(c *ringserve.Call) *ringBroker {
	b := &ringBroker{call: c}
	b.questions = questions{b}
	return b
}

// ask implements asker.
func (b *ringBroker) ask(ctx context.Context, request *wire.CapabilityRequest) (*wire.CapabilityReply, *guest.Refusal) {
	reply, err := b.call.Request(request)
	if err != nil {
		return nil, lost(ctx, err)
	}
	return answered(reply)
}

// lost is what a request gets that was not answered.
func lost(ctx context.Context, err error) *guest.Refusal {
	if ctx.Err() != nil {
		return refusal(ctx)
	}
	return &guest.Refusal{Code: guest.Internal, Message: err.Error()}
}

// Read implements guest.Capabilities.
func (b *ringBroker) Read(ctx context.Context, handle, offset uint64, length uint32, into guest.Sink) (uint64, *guest.Refusal) {
	piece, n, why, err := b.call.Read(handle, offset, length, func(at uint64, p []byte) error {
		if !into(at, p) {
			return errors.New("the guest's memory has no room for it")
		}
		return nil
	})
	if err != nil {
		return 0, lost(ctx, err)
	}
	return n, refusedWith(piece.Code, why)
}

// Log implements guest.Capabilities.
func (b *ringBroker) Log(level int, line string) { b.call.Log(int32(level), line) }
