package host

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/hashicorp/go-hclog"

	"github.com/ringfence/ringfence/pluginkit/wire"
)

// What a tool may log during one call. A sandbox keeps to less by itself; one
// that was taken over does not.
const (
	maxLogRecords = 10_000
	maxLogBytes   = 4 << 20
)

// guestSide is what a guest can reach during a call. Its methods are called from
// one goroutine at a time.
type guestSide struct {
	call           *call
	records, bytes int
	over           atomic.Bool // the call has returned; its guest may not know yet
}

func (g *guestSide) Handle(ctx context.Context, request *wire.CapabilityRequest) *wire.CapabilityReply {
	return g.call.session.Handle(ctx, request)
}

var levels = map[int32]hclog.Level{0: hclog.Debug, 1: hclog.Info, 2: hclog.Warn, 3: hclog.Error}

func (g *guestSide) Log(level int32, message string) {
	if g.over.Load() {
		return
	}
	l, ok := levels[level]
	if !ok {
		l = hclog.Info
	}
	over := g.records > maxLogRecords || g.bytes > maxLogBytes
	g.records++
	g.bytes += len(message)
	switch {
	case over:
		return
	case g.records > maxLogRecords || g.bytes > maxLogBytes:
		l, message = hclog.Warn, fmt.Sprintf("the tool has logged more than %d records or %d bytes in one call: the rest is dropped", maxLogRecords, maxLogBytes)
	}
	c := g.call
	record := GuestRecord{Plugin: c.plugin.policy.Name(), Tool: c.tool.Name, Level: l, Message: message}
	if c.caller.Log != nil {
		c.caller.Log(record)
	}
	if c.host.opts.GuestLog != nil {
		c.host.opts.GuestLog(record)
		return
	}
	c.host.log.Log(l, "guest: "+message, "plugin", c.plugin.policy.Name(), "tool", c.tool.Name, "call", c.id)
}
