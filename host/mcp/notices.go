package mcp

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/host/internal/printable"
)

// notices sends what a tool says while it runs to the client that called it. A
// client that does not read delays only its own call's end, and that not for long:
// what it does not take is dropped.
type notices struct {
	ctx     context.Context
	session *sdk.ServerSession
	tool    string
	token   any // of progress; nil: the client wants none
	sent    chan struct{}

	mu    sync.Mutex // guards what follows; a tool may speak until after its call
	queue chan func()
	over  bool
}

func newNotices(ctx context.Context, session *sdk.ServerSession, tool string, token any) *notices {
	queue := make(chan func(), maxNotices)
	n := &notices{ctx: ctx, session: session, tool: tool, token: token, queue: queue, sent: make(chan struct{})}
	go func() {
		defer close(n.sent)
		for send := range queue {
			if n.ctx.Err() == nil {
				send()
			}
		}
	}()
	return n
}

// flush waits until everything is sent, so that it comes before the result.
func (n *notices) flush() {
	n.mu.Lock()
	n.over = true
	close(n.queue)
	n.mu.Unlock()
	timer := time.NewTimer(flushWait)
	defer timer.Stop()
	select {
	case <-n.sent:
	case <-n.ctx.Done():
	case <-timer.C:
	}
}

func (n *notices) send(f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.over {
		return
	}
	select {
	case n.queue <- f:
	default:
	}
}

func (n *notices) caller() host.Caller {
	return host.Caller{Log: n.log}
}

var logLevels = map[hclog.Level]sdk.LoggingLevel{hclog.Debug: "debug", hclog.Info: "info", hclog.Warn: "warning", hclog.Error: "error"}

func (n *notices) log(r host.GuestRecord) {
	level, ok := logLevels[r.Level]
	if !ok {
		level = "info"
	}
	params := &sdk.LoggingMessageParams{Level: level, Logger: n.tool, Data: printable.Line(r.Message, maxLine)} //nolint:staticcheck // see sessionVersions
	n.send(func() { _ = n.session.Log(n.ctx, params) })                                                         //nolint:staticcheck // the same
}
