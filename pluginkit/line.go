package pluginkit

import (
	"context"
	"sync"

	"github.com/ringfence/ringfence/pluginkit/wire"
)

// streamLine is a line over the gRPC stream of the call.
type streamLine struct {
	stream wire.Sandbox_CallServer
	end    context.CancelCauseFunc // of the call

	sending sync.Mutex // a stream has one sender at a time

	mu      sync.Mutex
	lastID  uint64
	waiting map[uint64]chan<- *wire.CapabilityReply
}

func newStreamLine(stream wire.Sandbox_CallServer, end context.CancelCauseFunc) *streamLine {
	return &streamLine{stream: stream, end: end, waiting: make(map[uint64]chan<- *wire.CapabilityReply)}
}

func (l *streamLine) send(frame *wire.SandboxFrame) error {
	l.sending.Lock()
	defer l.sending.Unlock()
	return l.stream.Send(frame)
}

// read takes what the host sends until the stream ends, and then ends the call,
// too. The stream ends with the call, so this does.
func (l *streamLine) read() {
	for {
		frame, err := l.stream.Recv()
		if err != nil {
			l.end(err)
			return
		}
		reply := frame.GetReply()
		if reply == nil { // Cancel, or nonsense
			l.end(errCanceled)
			continue
		}
		l.mu.Lock()
		to := l.waiting[reply.GetId()]
		delete(l.waiting, reply.GetId())
		l.mu.Unlock()
		if to != nil { // else nobody waits any more
			to <- reply
		}
	}
}

func (l *streamLine) ask(ctx context.Context, request *wire.CapabilityRequest) (*wire.CapabilityReply, error) {
	answer := make(chan *wire.CapabilityReply, 1)
	l.mu.Lock()
	l.lastID++
	request.Id = l.lastID
	l.waiting[request.Id] = answer
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		delete(l.waiting, request.Id)
		l.mu.Unlock()
	}()
	if err := l.send(&wire.SandboxFrame{Kind: &wire.SandboxFrame_Request{Request: request}}); err != nil {
		return nil, err
	}
	select {
	case reply := <-answer:
		return reply, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// log sends a record. One that cannot be sent is lost with the call.
func (l *streamLine) log(level int32, text string) {
	_ = l.send(&wire.SandboxFrame{Kind: &wire.SandboxFrame_Log{Log: &wire.LogRecord{Level: level, Message: text}}})
}
