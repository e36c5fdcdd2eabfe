package serve

import (
	"context"
	"fmt"

	"github.com/ringfence/ringfence/pluginkit/wire"
	"github.com/ringfence/ringfence/plugins/wasm/internal/guest"
)

// broker carries a running guest's requests to the host over gRPC and waits for
// the answers. It implements guest.Capabilities.
type broker struct {
	questions
	stream  wire.Sandbox_CallServer
	replies <-chan *wire.CapabilityReply
	lastID  uint64
	broken  bool // the host answered something else; nothing more is asked
}

var _ guest.Capabilities = (*broker)(nil)

func newBroker(stream wire.Sandbox_CallServer, replies <-chan *wire.CapabilityReply) *broker {
	b := &broker{stream: stream, replies: replies}
	b.questions = questions{b}
	return b
}

// ask implements asker.
func (b *broker) ask(ctx context.Context, request *wire.CapabilityRequest) (*wire.CapabilityReply, *guest.Refusal) {
	if ctx.Err() != nil {
		return nil, refusal(ctx)
	}
	if b.broken {
		return nil, &guest.Refusal{Code: guest.Internal, Message: "the host broke the protocol"}
	}
	b.lastID++
	request.Id = b.lastID
	if err := b.stream.Send(&wire.SandboxFrame{Kind: &wire.SandboxFrame_Request{Request: request}}); err != nil {
		return nil, b.lost(ctx)
	}
	var reply *wire.CapabilityReply
	select {
	case reply = <-b.replies:
	case <-ctx.Done():
		return nil, b.lost(ctx) // its answer must not be taken for a later one's
	}
	if reply.Id != request.Id {
		b.broken = true
		return nil, &guest.Refusal{Code: guest.Internal, Message: fmt.Sprintf("the host did not answer request %d", request.Id)}
	}
	return answered(reply)
}

func (b *broker) lost(ctx context.Context) *guest.Refusal {
	b.broken = true
	return refusal(ctx)
}

// Read implements guest.Capabilities.
func (b *broker) Read(ctx context.Context, handle, offset uint64, length uint32, into guest.Sink) (uint64, *guest.Refusal) {
	request := &wire.BodyRead{Handle: handle, Offset: offset, Length: length}
	reply, refused := b.ask(ctx, &wire.CapabilityRequest{Op: &wire.CapabilityRequest_BodyRead{BodyRead: request}})
	if refused != nil {
		return 0, refused
	}
	data := reply.GetData()
	if uint64(len(data)) > uint64(length) || !into(0, data) {
		return 0, tooMuch
	}
	return uint64(len(data)), nil
}

var tooMuch = &guest.Refusal{Code: guest.Internal, Message: "the host sent more than was asked for"}

// Log implements guest.Capabilities. A line that cannot be sent is lost with
// the call.
func (b *broker) Log(level int, line string) {
	record := &wire.LogRecord{Level: int32(level), Message: line}
	_ = b.stream.Send(&wire.SandboxFrame{Kind: &wire.SandboxFrame_Log{Log: record}})
}
