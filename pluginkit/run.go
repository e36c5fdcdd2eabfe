package pluginkit

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/ringfence/ringfence/pluginkit/internal/abi"
	"github.com/ringfence/ringfence/pluginkit/internal/registry"
	"github.com/ringfence/ringfence/pluginkit/wire"
)

// line is a running call's way to the host. A transport makes one for each call;
// what tools see is the same over every transport. Its methods may be called by
// several goroutines.
type line interface {
	// ask carries a request to the host and waits for its reply, or for the end
	// of ctx. Any error but the context's means that the host is gone.
	ask(ctx context.Context, request *wire.CapabilityRequest) (*wire.CapabilityReply, error)
	// log carries a line to the host's log of the call.
	log(level int32, text string)
}

// outcome is how a call ended: a status of docs/guest-abi.md with its bytes, or a
// failure.
type outcome struct {
	status  uint32
	data    []byte
	failure *wire.Failure
}

// run runs a tool to its end; room, if there is some, is where its result can be
// written in place. It does not return before: a tool that does not
// heed its context is the host's to end, with the process.
func (s *server) run(ctx context.Context, tool uint32, arguments, room []byte, l line) (o outcome) {
	defer func() {
		if p := recover(); p != nil {
			o = outcome{failure: s.panicked(p)}
		}
	}()
	s.ambient.set(&capabilities{ctx: ctx, line: l})
	defer s.ambient.set(nil)
	call := abi.With(ctx, func(ctx context.Context) abi.Host { return &capabilities{ctx: ctx, line: l} })
	o.status, o.data = registry.Call(call, tool, arguments, room)
	if ctx.Err() != nil && o.status != abi.StatusOK {
		return outcome{failure: &wire.Failure{Kind: wire.FailureKind_FAILURE_CANCELED, Message: context.Cause(ctx).Error()}}
	}
	if o.status != abi.StatusOK && len(o.data) > MaxFailure {
		o.data = o.data[:MaxFailure]
	}
	return o
}

var errCanceled = errors.New("the host cancelled the call")

// panicked tells the log where, and the host what. What the tool left half done
// nobody knows, so the process serves no more calls.
func (s *server) panicked(p any) *wire.Failure {
	s.mu.Lock()
	s.broken = true
	s.mu.Unlock()
	text := fmt.Sprintf("panic: %v", p)
	s.log.Error(text)
	for frame := range strings.Lines(string(debug.Stack())) {
		s.log.Error(strings.TrimRight(frame, "\n"))
	}
	return &wire.Failure{Kind: wire.FailureKind_FAILURE_TRAP, Message: text[:min(len(text), MaxFailure)]}
}

func (s *server) isBroken() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.broken
}
