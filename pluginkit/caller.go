package pluginkit

import (
	"encoding/json"

	"github.com/ringfence/ringfence/pluginkit/internal/abi"
	"github.com/ringfence/ringfence/pluginkit/wire"
)

// What a tool tells and asks whoever called it.

// Progress implements abi.Host.
func (c *capabilities) Progress(report []byte) int32 {
	var p struct {
		Done    float64 `json:"done"`
		Total   float64 `json:"total"`
		Message string  `json:"message"`
	}
	if err := json.Unmarshal(report, &p); err != nil {
		return c.refuse(abi.Malformed, "the report is not valid: "+err.Error())
	}
	request := &wire.Progress{Done: p.Done, Total: p.Total, Message: p.Message}
	_, code := c.request(&wire.CapabilityRequest{Op: &wire.CapabilityRequest_Progress{Progress: request}})
	return code
}

// Ask implements abi.Host.
func (c *capabilities) Ask(kind int32, question []byte) int64 {
	if len(question) > abi.MaxQuestion {
		return int64(c.refuse(abi.Limit, "the question is too large"))
	}
	request := &wire.Ask{Kind: wire.AskKind(kind), Request: question}
	reply, code := c.request(&wire.CapabilityRequest{Op: &wire.CapabilityRequest_Ask{Ask: request}})
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
	request := &wire.ResourceUpdated{Uri: uri}
	_, code := c.request(&wire.CapabilityRequest{Op: &wire.CapabilityRequest_ResourceUpdated{ResourceUpdated: request}})
	return code
}

func (a *ambient) Progress(report []byte) int32          { return a.now().Progress(report) }
func (a *ambient) Ask(kind int32, question []byte) int64 { return a.now().Ask(kind, question) }
func (a *ambient) Updated(uri string) int32              { return a.now().Updated(uri) }
