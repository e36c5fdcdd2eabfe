package mcp

//lint:file-ignore SA1019 sampling and logging are deprecated in drafts without sessions; see sessionVersions

import (
	"context"
	"strings"
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
	server  *Server
	session *sdk.ServerSession
	tool    string
	token   any // of progress; nil: the client wants none
	sent    chan struct{}

	mu    sync.Mutex // guards what follows; a tool may speak until after its call
	queue chan func()
	over  bool
	done  float64 // the last progress; it must grow
}

func newNotices(ctx context.Context, s *Server, session *sdk.ServerSession, tool string, token any) *notices {
	queue := make(chan func(), maxNotices)
	n := &notices{ctx: ctx, server: s, session: session, tool: tool, token: token, queue: queue, sent: make(chan struct{}), done: -1}
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

// caller is what the host lets the tool reach.
func (n *notices) caller() host.Caller {
	plugin, _, _ := strings.Cut(n.tool, ".")
	return host.Caller{
		Log: n.log, Progress: n.progress, Elicit: n.elicit, Sample: n.sample,
		Updated: func(uri string) { n.send(func() { n.server.updated(plugin, uri) }) },
	}
}

// progress goes to a client that has asked for it, as far as it is progress.
func (n *notices) progress(done, total float64, message string) {
	if n.token == nil {
		return
	}
	n.mu.Lock()
	grows := done > n.done || n.done < 0
	if grows {
		n.done = done
	}
	n.mu.Unlock()
	if !grows {
		return
	}
	n.send(func() {
		_ = n.session.NotifyProgress(n.ctx, &sdk.ProgressNotificationParams{
			ProgressToken: n.token, Progress: done, Total: total, Message: printable.Line(message, maxLine),
		})
	})
}

var logLevels = map[hclog.Level]sdk.LoggingLevel{hclog.Debug: "debug", hclog.Info: "info", hclog.Warn: "warning", hclog.Error: "error"}

func (n *notices) log(r host.GuestRecord) {
	level, ok := logLevels[r.Level]
	if !ok {
		level = "info"
	}
	params := &sdk.LoggingMessageParams{Level: level, Logger: n.tool, Data: printable.Line(r.Message, maxLine)}
	n.send(func() { _ = n.session.Log(n.ctx, params) })
}
