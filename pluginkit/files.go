package pluginkit

import (
	"strings"
	"time"

	"github.com/ringfence/ringfence/pluginkit/internal/abi"
	"github.com/ringfence/ringfence/pluginkit/wire"
)

// firstHeld begins the numbers of answers that came whole. The host's handles are
// 63 bits of chance; one that is among these numbers is kept apart by the maps.
const firstHeld = 1 << 62

// held is the body of an answer that came whole.
func (c *capabilities) held(handle int64) (body []byte, here bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	body, here = c.whole[handle]
	return body, here
}

// hold keeps an answer until it is closed. One with a handle of the host's keeps
// that: its body is there.
func (c *capabilities) hold(reply *wire.CapabilityReply, code int32) int64 {
	if code != 0 {
		return int64(code)
	}
	head, err := reply.HeadJSON()
	if err != nil {
		return int64(c.refuse(abi.Failed, err.Error()))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.heads == nil {
		c.heads = make(map[int64][]byte)
	}
	handle := int64(reply.GetHandle())
	if handle <= 0 {
		if c.whole == nil {
			c.whole = make(map[int64][]byte)
		}
		for handle = firstHeld; ; handle++ {
			if _, taken := c.heads[handle]; !taken {
				break
			}
		}
		c.whole[handle] = reply.GetData()
	}
	c.heads[handle] = head
	return handle
}

// Files implements abi.Host.
func (c *capabilities) Files(request, data []byte) int64 {
	if len(request) > MaxRequestHead || len(data) > MaxRequestBody {
		return int64(c.refuse(abi.Limit, "the request is too large"))
	}
	files, err := wire.ParseFiles(request)
	if err != nil {
		return int64(c.refuse(abi.Malformed, "the request is not valid: "+err.Error()))
	}
	files.Data = data
	return c.hold(c.request(&wire.CapabilityRequest{Op: &wire.CapabilityRequest_Files{Files: files}}))
}

// State implements abi.Host.
func (c *capabilities) State(request, value []byte) int64 {
	if len(request) > MaxRequestHead || len(value) > MaxRequestBody {
		return int64(c.refuse(abi.Limit, "the request is too large"))
	}
	state, err := wire.ParseState(request)
	if err != nil {
		return int64(c.refuse(abi.Malformed, "the request is not valid: "+err.Error()))
	}
	state.Value = value
	return c.hold(c.request(&wire.CapabilityRequest{Op: &wire.CapabilityRequest_State{State: state}}))
}

// Invoke implements abi.Host.
func (c *capabilities) Invoke(alias string, arguments []byte) int64 {
	if len(arguments) > MaxRequestBody {
		return int64(c.refuse(abi.Limit, "the arguments are too large"))
	}
	invoke := &wire.Invoke{Alias: strings.ToValidUTF8(alias, "�"), Arguments: arguments}
	return c.hold(c.request(&wire.CapabilityRequest{Op: &wire.CapabilityRequest_Invoke{Invoke: invoke}}))
}

// Remaining implements abi.Host.
func (c *capabilities) Remaining() int64 {
	end, ok := c.ctx.Deadline()
	if !ok {
		return -1
	}
	return max(0, time.Until(end).Milliseconds())
}
