package serve

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/ringfence/ringfence/pluginkit"
	"github.com/ringfence/ringfence/pluginkit/wire"
	"github.com/ringfence/ringfence/plugins/wasm/internal/guest"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Call implements wire.SandboxServer. It answers ABORTED, before
// anything of the call has run, when the process has to be replaced: engines
// keep something of each instance and of each stack overflow. The guest runs in this goroutine, and
// while it runs the host only answers what it was asked, so whoever asks also
// reads the answer: there is no other reader.
func (s *Server) Call(stream wire.Sandbox_CallServer) error {
	s.mu.Lock()
	plugin := s.plugin
	s.mu.Unlock()
	if plugin == nil {
		return status.Error(codes.FailedPrecondition, "no module is loaded")
	}
	if !s.enter() {
		return status.Error(codes.FailedPrecondition, "another call is running")
	}
	defer func() { <-s.calls }()
	if s.ring() != nil {
		return status.Error(codes.FailedPrecondition, "calls go over the ring")
	}
	if s.worn(plugin) {
		return status.Error(codes.Aborted, "this process is worn out; start another one")
	}
	start, err := receiveStart(stream)
	if err != nil {
		return err
	}
	ctx, cancel := withTimeout(stream.Context(), start.TimeoutMs)
	defer cancel()
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	replies := &inbox{replies: make(chan *wire.CapabilityReply, 1)}
	call, failed := plugin.Begin(ctx, newBroker(stream, replies.replies), start.Tool, start.ArgumentsBytes, nil)
	if failed != nil {
		return sendFailure(stream, failed)
	}
	defer plugin.End(call)
	if ended, err := receiveArguments(stream, call); ended || err != nil {
		return err
	}
	go replies.read(stream, end)
	code, length, failed := call.Run(ctx)
	if failed != nil {
		s.noteOverflow(failed)
		return sendFailure(stream, failed)
	}
	if start.MaxResultBytes > 0 && length > start.MaxResultBytes {
		return sendFailure(stream, &guest.Failure{Kind: wire.FailureKind_FAILURE_LIMIT,
			Message: fmt.Sprintf("the result has %d bytes (maximum %d)", length, start.MaxResultBytes)})
	}
	return sendResult(stream, call, code, length)
}

// graceTime is how long a call waits for the one before it. A host that has read
// an answer may call again before that call's stream has ended here.
const graceTime = 250 * time.Millisecond

// maxOverflows is after how many stack overflows a process serves no more
// calls: each leaks up to 8 MiB of backtrace in the engine.
const maxOverflows = 4

// worn says that the process has to be replaced before its next call.
func (s *Server) worn(plugin *guest.Plugin) bool {
	return s.overflows.Load() >= maxOverflows || plugin.Worn()
}

// noteOverflow counts the failures that cost the process something.
func (s *Server) noteOverflow(failed *guest.Failure) {
	if failed.Kind == wire.FailureKind_FAILURE_STACK {
		s.overflows.Add(1)
	}
}

// enter makes this the running call.
func (s *Server) enter() bool {
	grace := time.NewTimer(graceTime)
	defer grace.Stop()
	select {
	case s.calls <- struct{}{}:
		return true
	case <-grace.C:
		return false
	}
}

func receiveStart(stream wire.Sandbox_CallServer) (*wire.CallStart, error) {
	frame, err := stream.Recv()
	if err != nil {
		return nil, err
	}
	start := frame.GetStart()
	if start == nil {
		return nil, status.Error(codes.InvalidArgument, "a call begins with its start")
	}
	if start.ArgumentsBytes > pluginkit.MaxArguments {
		return nil, status.Errorf(codes.InvalidArgument, "arguments of %d bytes (at most %d)", start.ArgumentsBytes, pluginkit.MaxArguments)
	}
	return start, nil
}

// receiveArguments reports whether the call has ended before it began.
func receiveArguments(stream wire.Sandbox_CallServer, call *guest.Call) (ended bool, _ error) {
	for call.Missing() > 0 {
		frame, err := stream.Recv()
		if err != nil {
			return false, err
		}
		if frame.GetCancel() != nil {
			return true, sendFailure(stream, &guest.Failure{Kind: wire.FailureKind_FAILURE_CANCELED, Message: errCanceled.Error()})
		}
		piece := frame.GetArguments()
		if len(piece) == 0 || len(piece) > pluginkit.MaxPiece || uint64(len(piece)) > call.Missing() {
			return false, status.Errorf(codes.InvalidArgument, "a piece of %d bytes where %d bytes of arguments are missing", len(piece), call.Missing())
		}
		if failed := call.Argument(piece); failed != nil {
			return true, sendFailure(stream, failed)
		}
	}
	return false, nil
}

// withTimeout bounds the call's own waiting; 0 is no bound but the stream's.
func withTimeout(ctx context.Context, ms uint64) (context.Context, context.CancelFunc) {
	if ms == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Duration(min(ms, math.MaxInt32))*time.Millisecond)
}

func sendFailure(stream wire.Sandbox_CallServer, failed *guest.Failure) error {
	return stream.Send(&wire.SandboxFrame{Kind: &wire.SandboxFrame_Failure{Failure: failure(failed)}})
}

func sendResult(stream wire.Sandbox_CallServer, call *guest.Call, code uint32, length uint64) error {
	head := &wire.ResultHead{Status: code, ResultBytes: length}
	if err := stream.Send(&wire.SandboxFrame{Kind: &wire.SandboxFrame_Result{Result: head}}); err != nil {
		return err
	}
	return pieces(length, func(offset, n uint64) error {
		piece := make([]byte, n)
		if failed := call.ResultInto(offset, piece); failed != nil {
			return sendFailure(stream, failed)
		}
		return stream.Send(&wire.SandboxFrame{Kind: &wire.SandboxFrame_Data{Data: piece}})
	})
}
