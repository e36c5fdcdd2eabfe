package pluginkit

import (
	"context"
	"encoding/json"
	"errors"
	"sync"

	"github.com/ringfence/ringfence/pluginkit/internal/abi"
	"github.com/ringfence/ringfence/pluginkit/wire"
)

// capabilities is what package guest asks of a host, carried over a line. It
// implements abi.Host for as long as ctx lives.
type capabilities struct {
	ctx  context.Context
	line line

	mu    sync.Mutex
	why   string // the last refusal, in the host's words
	heads map[int64][]byte
	whole map[int64][]byte // answers that came whole, by a number of ours
}

// request makes one request and takes what is not an answer as a refusal.
func (c *capabilities) request(request *wire.CapabilityRequest) (*wire.CapabilityReply, int32) {
	if err := c.ctx.Err(); err != nil {
		return nil, c.ended(err)
	}
	reply, err := c.line.ask(c.ctx, request)
	if err != nil {
		return nil, c.ended(err)
	}
	if code := reply.GetCode(); code != wire.Code_CODE_OK {
		if code < wire.Code_CODE_DENIED || code > wire.Code_CODE_CHANGED {
			code = wire.Code_CODE_INTERNAL
		}
		return nil, c.refuse(-int32(code), reply.GetMessage())
	}
	return reply, 0
}

func (c *capabilities) ended(err error) int32 {
	if errors.Is(err, context.DeadlineExceeded) {
		return c.refuse(abi.TimedOut, "the call's time is over")
	}
	return c.refuse(abi.Cancelled, err.Error())
}

func (c *capabilities) refuse(code int32, why string) int32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.why = why
	return code
}

// Log implements abi.Host.
func (c *capabilities) Log(level int32, text string) {
	if c.ctx.Err() == nil {
		c.line.log(level, text)
	}
}

// HTTP implements abi.Host.
func (c *capabilities) HTTP(head, body []byte) int64 {
	if len(head) > MaxRequestHead || len(body) > MaxRequestBody {
		return int64(c.refuse(abi.Limit, "the request is too large"))
	}
	var asked struct {
		Method  string      `json:"method"`
		URL     string      `json:"url"`
		Headers [][2]string `json:"headers"`
	}
	if err := json.Unmarshal(head, &asked); err != nil {
		return int64(c.refuse(abi.Malformed, "the request is not valid: "+err.Error()))
	}
	request := &wire.HttpRequest{Method: asked.Method, Url: asked.URL, Body: body}
	for _, h := range asked.Headers {
		request.Headers = append(request.Headers, &wire.Header{Name: h[0], Value: h[1]})
	}
	reply, code := c.request(&wire.CapabilityRequest{Op: &wire.CapabilityRequest_Http{Http: request}})
	if code != 0 {
		return int64(code)
	}
	handle := int64(reply.GetHandle())
	if handle <= 0 {
		return int64(c.refuse(abi.Failed, "the host gave no handle"))
	}
	return c.keep(handle, reply)
}

// keep holds the head of an answer until it is asked for.
func (c *capabilities) keep(handle int64, reply *wire.CapabilityReply) int64 {
	headers := make([][2]string, 0, len(reply.GetHeaders()))
	for _, h := range reply.GetHeaders() {
		headers = append(headers, [2]string{h.GetName(), h.GetValue()})
	}
	size := &reply.BodyBytes
	if reply.GetUnsized() {
		size = nil
	}
	head, err := json.Marshal(struct {
		Status    uint32      `json:"status"`
		Headers   [][2]string `json:"headers"`
		BodyBytes *uint64     `json:"body_bytes,omitempty"`
	}{reply.GetStatus(), headers, size})
	if err != nil {
		return int64(c.refuse(abi.Failed, err.Error()))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.heads == nil {
		c.heads = make(map[int64][]byte)
	}
	c.heads[handle] = head
	return handle
}

// Head implements abi.Host.
func (c *capabilities) Head(handle int64, into []byte) int32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	head, open := c.heads[handle]
	if !open {
		c.why = "no such response"
		return abi.NotFound
	}
	if len(head) <= len(into) {
		copy(into, head)
	}
	return int32(len(head))
}

// Read implements abi.Host.
func (c *capabilities) Read(handle, offset int64, into []byte) int32 {
	if data, here := c.held(handle); here {
		return int32(copy(into, data[min(uint64(offset), uint64(len(data))):]))
	}
	length := min(len(into), MaxPiece)
	reply, code := c.request(&wire.CapabilityRequest{Op: &wire.CapabilityRequest_BodyRead{BodyRead: &wire.BodyRead{
		Handle: uint64(handle), Offset: uint64(offset), Length: uint32(length),
	}}})
	if code != 0 {
		return code
	}
	if len(reply.GetData()) > length {
		return c.refuse(abi.Failed, "the host sent more than was asked for")
	}
	return int32(copy(into, reply.GetData()))
}

// Close implements abi.Host.
func (c *capabilities) Close(handle int64) int32 {
	_, here := c.held(handle)
	c.mu.Lock()
	delete(c.heads, handle)
	delete(c.whole, handle)
	c.mu.Unlock()
	if here {
		return 0
	}
	_, code := c.request(&wire.CapabilityRequest{Op: &wire.CapabilityRequest_BodyClose{BodyClose: &wire.BodyClose{Handle: uint64(handle)}}})
	return code
}

// SecretExists implements abi.Host.
func (c *capabilities) SecretExists(name string) int32 {
	reply, code := c.request(&wire.CapabilityRequest{Op: &wire.CapabilityRequest_SecretExists{SecretExists: &wire.SecretExists{Name: name}}})
	if code == 0 && reply.GetExists() {
		return 1
	}
	return code
}

// Progress implements abi.Host.
func (c *capabilities) Progress(report []byte) int32 {
	var said struct {
		Done    float64 `json:"done"`
		Total   float64 `json:"total"`
		Message string  `json:"message"`
	}
	if err := json.Unmarshal(report, &said); err != nil {
		return c.refuse(abi.Malformed, "the progress is not valid: "+err.Error())
	}
	_, code := c.request(&wire.CapabilityRequest{Op: &wire.CapabilityRequest_Progress{Progress: &wire.Progress{
		Done: said.Done, Total: said.Total, Message: said.Message,
	}}})
	return code
}

// Ask implements abi.Host.
func (c *capabilities) Ask(kind int32, question []byte) int64 {
	reply, code := c.request(&wire.CapabilityRequest{Op: &wire.CapabilityRequest_Ask{Ask: &wire.Ask{
		Kind: wire.AskKind(kind), Request: question,
	}}})
	if code != 0 {
		return int64(code)
	}
	handle := int64(reply.GetHandle())
	if handle <= 0 {
		return int64(c.refuse(abi.Failed, "the host gave no handle"))
	}
	return handle
}

// Updated implements abi.Host.
func (c *capabilities) Updated(uri string) int32 {
	_, code := c.request(&wire.CapabilityRequest{Op: &wire.CapabilityRequest_ResourceUpdated{ResourceUpdated: &wire.ResourceUpdated{Uri: uri}}})
	return code
}

// Error implements abi.Host.
func (c *capabilities) Error(into []byte) int32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return int32(copy(into, c.why))
}
