package serve

import (
	"context"
	"fmt"

	"github.com/ringfence/ringfence/pluginkit/wire"
	"github.com/ringfence/ringfence/plugins/wasm/internal/guest"
)

// broker carries a running guest's requests to the host and waits for the
// answers. It implements guest.Capabilities.
type broker struct {
	stream  wire.Sandbox_CallServer
	replies <-chan *wire.CapabilityReply
	lastID  uint64
	broken  bool // the host answered something else; nothing more is asked
}

var _ guest.Capabilities = (*broker)(nil)

// ask sends one request and waits for its reply, or for the call's end.
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
	if reply.Code != wire.Code_CODE_OK {
		code := guest.Code(reply.Code)
		if code < guest.Denied || code > guest.Internal {
			code = guest.Internal
		}
		return nil, &guest.Refusal{Code: code, Message: reply.Message}
	}
	return reply, nil
}

func (b *broker) lost(ctx context.Context) *guest.Refusal {
	b.broken = true
	return refusal(ctx)
}

// refusal is what a request gets when the call is over.
func refusal(ctx context.Context) *guest.Refusal {
	if ctx.Err() == context.DeadlineExceeded {
		return &guest.Refusal{Code: guest.Timeout, Message: "the call's time is over"}
	}
	return &guest.Refusal{Code: guest.Canceled, Message: "the call was cancelled"}
}

// HTTP implements guest.Capabilities.
func (b *broker) HTTP(ctx context.Context, r guest.Request) (guest.Response, *guest.Refusal) {
	request := &wire.HttpRequest{Method: r.Method, Url: r.URL, Body: r.Body}
	for _, h := range r.Headers {
		request.Headers = append(request.Headers, &wire.Header{Name: h[0], Value: h[1]})
	}
	reply, refused := b.ask(ctx, &wire.CapabilityRequest{Op: &wire.CapabilityRequest_Http{Http: request}})
	if refused != nil {
		return guest.Response{}, refused
	}
	response := guest.Response{Handle: reply.Handle, Status: reply.Status, BodyBytes: reply.BodyBytes}
	for _, h := range reply.Headers {
		response.Headers = append(response.Headers, [2]string{h.GetName(), h.GetValue()})
	}
	return response, nil
}

// Read implements guest.Capabilities.
func (b *broker) Read(ctx context.Context, handle, offset uint64, length uint32) ([]byte, *guest.Refusal) {
	request := &wire.BodyRead{Handle: handle, Offset: offset, Length: length}
	reply, refused := b.ask(ctx, &wire.CapabilityRequest{Op: &wire.CapabilityRequest_BodyRead{BodyRead: request}})
	return reply.GetData(), refused
}

// Close implements guest.Capabilities.
func (b *broker) Close(ctx context.Context, handle uint64) *guest.Refusal {
	request := &wire.BodyClose{Handle: handle}
	_, refused := b.ask(ctx, &wire.CapabilityRequest{Op: &wire.CapabilityRequest_BodyClose{BodyClose: request}})
	return refused
}

// SecretExists implements guest.Capabilities.
func (b *broker) SecretExists(ctx context.Context, name string) (bool, *guest.Refusal) {
	request := &wire.SecretExists{Name: name}
	reply, refused := b.ask(ctx, &wire.CapabilityRequest{Op: &wire.CapabilityRequest_SecretExists{SecretExists: request}})
	return reply.GetExists(), refused
}

// Progress implements guest.Capabilities.
func (b *broker) Progress(ctx context.Context, done, total float64, message string) *guest.Refusal {
	request := &wire.Progress{Done: done, Total: total, Message: message}
	_, refused := b.ask(ctx, &wire.CapabilityRequest{Op: &wire.CapabilityRequest_Progress{Progress: request}})
	return refused
}

// Ask implements guest.Capabilities.
func (b *broker) Ask(ctx context.Context, kind uint32, question []byte) (guest.Response, *guest.Refusal) {
	request := &wire.Ask{Kind: wire.AskKind(kind), Request: question}
	reply, refused := b.ask(ctx, &wire.CapabilityRequest{Op: &wire.CapabilityRequest_Ask{Ask: request}})
	if refused != nil {
		return guest.Response{}, refused
	}
	return guest.Response{Handle: reply.Handle, BodyBytes: reply.BodyBytes}, nil
}

// ResourceUpdated implements guest.Capabilities.
func (b *broker) ResourceUpdated(ctx context.Context, uri string) *guest.Refusal {
	request := &wire.ResourceUpdated{Uri: uri}
	_, refused := b.ask(ctx, &wire.CapabilityRequest{Op: &wire.CapabilityRequest_ResourceUpdated{ResourceUpdated: request}})
	return refused
}

// Log implements guest.Capabilities. A line that cannot be sent is lost with
// the call.
func (b *broker) Log(level int, line string) {
	record := &wire.LogRecord{Level: int32(level), Message: line}
	_ = b.stream.Send(&wire.SandboxFrame{Kind: &wire.SandboxFrame_Log{Log: record}})
}
