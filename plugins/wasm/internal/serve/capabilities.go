package serve

import (
	"context"

	"github.com/ringfence/ringfence/pluginkit/wire"
	"github.com/ringfence/ringfence/plugins/wasm/internal/guest"
)

// asker puts one question to the host and waits for its answer, or for the call's
// end.
type asker interface {
	ask(ctx context.Context, request *wire.CapabilityRequest) (*wire.CapabilityReply, *guest.Refusal)
}

// questions are the guest's capabilities that are the same over every transport.
type questions struct{ asker }

// HTTP implements guest.Capabilities.
func (q questions) HTTP(ctx context.Context, r guest.Request) (guest.Response, *guest.Refusal) {
	request := &wire.HttpRequest{Method: r.Method, Url: r.URL, Body: r.Body}
	for _, h := range r.Headers {
		request.Headers = append(request.Headers, &wire.Header{Name: h[0], Value: h[1]})
	}
	reply, refused := q.ask(ctx, &wire.CapabilityRequest{Op: &wire.CapabilityRequest_Http{Http: request}})
	if refused != nil {
		return guest.Response{}, refused
	}
	response := guest.Response{Handle: reply.Handle, Status: reply.Status, BodyBytes: reply.BodyBytes, Unsized: reply.Unsized}
	for _, h := range reply.Headers {
		response.Headers = append(response.Headers, [2]string{h.GetName(), h.GetValue()})
	}
	return response, nil
}

// Close implements guest.Capabilities.
func (q questions) Close(ctx context.Context, handle uint64) *guest.Refusal {
	request := &wire.BodyClose{Handle: handle}
	_, refused := q.ask(ctx, &wire.CapabilityRequest{Op: &wire.CapabilityRequest_BodyClose{BodyClose: request}})
	return refused
}

// SecretExists implements guest.Capabilities.
func (q questions) SecretExists(ctx context.Context, name string) (bool, *guest.Refusal) {
	request := &wire.SecretExists{Name: name}
	reply, refused := q.ask(ctx, &wire.CapabilityRequest{Op: &wire.CapabilityRequest_SecretExists{SecretExists: request}})
	return reply.GetExists(), refused
}

// Progress implements guest.Capabilities.
func (q questions) Progress(ctx context.Context, done, total float64, message string) *guest.Refusal {
	request := &wire.Progress{Done: done, Total: total, Message: message}
	_, refused := q.ask(ctx, &wire.CapabilityRequest{Op: &wire.CapabilityRequest_Progress{Progress: request}})
	return refused
}

// Ask implements guest.Capabilities.
func (q questions) Ask(ctx context.Context, kind uint32, question []byte) (guest.Response, *guest.Refusal) {
	request := &wire.Ask{Kind: wire.AskKind(kind), Request: question}
	reply, refused := q.ask(ctx, &wire.CapabilityRequest{Op: &wire.CapabilityRequest_Ask{Ask: request}})
	if refused != nil {
		return guest.Response{}, refused
	}
	return guest.Response{Handle: reply.Handle, BodyBytes: reply.BodyBytes}, nil
}

// ResourceUpdated implements guest.Capabilities.
func (q questions) ResourceUpdated(ctx context.Context, uri string) *guest.Refusal {
	request := &wire.ResourceUpdated{Uri: uri}
	_, refused := q.ask(ctx, &wire.CapabilityRequest{Op: &wire.CapabilityRequest_ResourceUpdated{ResourceUpdated: request}})
	return refused
}

// Files implements guest.Capabilities.
func (q questions) Files(ctx context.Context, request *wire.Files) (guest.Response, *guest.Refusal) {
	return q.whole(ctx, &wire.CapabilityRequest{Op: &wire.CapabilityRequest_Files{Files: request}})
}

// State implements guest.Capabilities.
func (q questions) State(ctx context.Context, request *wire.State) (guest.Response, *guest.Refusal) {
	return q.whole(ctx, &wire.CapabilityRequest{Op: &wire.CapabilityRequest_State{State: request}})
}

// Invoke implements guest.Capabilities.
func (q questions) Invoke(ctx context.Context, request *wire.Invoke) (guest.Response, *guest.Refusal) {
	return q.whole(ctx, &wire.CapabilityRequest{Op: &wire.CapabilityRequest_Invoke{Invoke: request}})
}

// whole asks for something whose answer has a head of the general form.
func (q questions) whole(ctx context.Context, request *wire.CapabilityRequest) (guest.Response, *guest.Refusal) {
	reply, refused := q.ask(ctx, request)
	if refused != nil {
		return guest.Response{}, refused
	}
	head, err := reply.HeadJSON()
	if err != nil {
		return guest.Response{}, &guest.Refusal{Code: guest.Internal, Message: err.Error()}
	}
	return guest.Response{Handle: reply.GetHandle(), Head: head, Data: reply.GetData()}, nil
}

// answered turns a reply that is a refusal into one.
func answered(reply *wire.CapabilityReply) (*wire.CapabilityReply, *guest.Refusal) {
	if refused := refusedWith(reply.GetCode(), reply.GetMessage()); refused != nil {
		return nil, refused
	}
	return reply, nil
}

func refusedWith(code wire.Code, message string) *guest.Refusal {
	if code == wire.Code_CODE_OK {
		return nil
	}
	c := guest.Code(code)
	if c < guest.Denied || c > guest.Changed {
		c = guest.Internal
	}
	return &guest.Refusal{Code: c, Message: message}
}

// refusal is what a request gets when the call is over.
func refusal(ctx context.Context) *guest.Refusal {
	if ctx.Err() == context.DeadlineExceeded {
		return &guest.Refusal{Code: guest.Timeout, Message: "the call's time is over"}
	}
	return &guest.Refusal{Code: guest.Canceled, Message: "the call was cancelled"}
}
