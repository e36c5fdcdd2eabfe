package pluginkit

import (
	"context"
	"fmt"
	"math"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ringfence/ringfence/pluginkit/internal/abi"
	"github.com/ringfence/ringfence/pluginkit/internal/registry"
	"github.com/ringfence/ringfence/pluginkit/ringwire"
	"github.com/ringfence/ringfence/pluginkit/wire"
	"github.com/ringfence/ringfence/shmchan"
)

const (
	transportGRPC = "grpc"
	// EngineNative stands in the place of an engine for a plugin that has none.
	EngineNative = "native"
	guestABI     = 1
	// graceTime is how long a call waits for the one before it. A host that has
	// read an answer may call again before that call's stream has ended here.
	graceTime = 250 * time.Millisecond
)

// server is a native plugin's side of the wire protocol. Calls come over gRPC or,
// if the host settles on it, over the ring (ring.go); what is the same for both is in
// run.go.
type server struct {
	wire.UnimplementedSandboxServer
	log     hclog.Logger
	confine func() error
	calls   chan struct{} // held by the running call
	ambient *ambient      // what tools without a context ask
	attach  attacher

	mu      sync.Mutex
	channel *shmchan.Channel // settled on; nil for gRPC
	loaded  bool
	broken  bool // a tool panicked; the process is to be replaced
}

func newServer(log hclog.Logger, confine func() error, attach attacher) *server {
	s := &server{log: log, confine: confine, attach: attach, calls: make(chan struct{}, 1), ambient: &ambient{}}
	abi.Use(s.ambient)
	return s
}

// Negotiate implements wire.SandboxServer.
func (s *server) Negotiate(context.Context, *wire.Offer) (*wire.Offer, error) {
	offer := &wire.Offer{
		Build: build(), Transports: []string{transportGRPC}, Engines: []string{EngineNative}, GuestAbis: []uint32{guestABI},
	}
	if s.attach != nil {
		offer.Transports = append(offer.Transports, ringwire.Transport)
		offer.LayoutVersions, offer.PageSize = []uint32{ringwire.Layout}, uint64(os.Getpagesize())
		offer.MaxRingBytes, offer.MaxLanes = ringwire.MaxRing, ringwire.Lanes
	}
	return offer, nil
}

// build names this build in at most 128 bytes.
func build() string {
	text := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		text = info.Main.Path + " " + info.Main.Version + " " + info.GoVersion
	}
	return text[:min(128, len(text))]
}

// Settle implements wire.SandboxServer. A host may settle anew until it loads.
func (s *server) Settle(_ context.Context, terms *wire.Terms) (*wire.Terms, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	isRing := terms.GetTransport() == ringwire.Transport
	switch {
	case s.loaded:
		return nil, status.Error(codes.FailedPrecondition, "the terms are settled")
	case terms.GetTransport() != transportGRPC && !isRing:
		return nil, status.Errorf(codes.InvalidArgument, "transport %q was not offered", terms.GetTransport())
	case terms.GetEngine() != EngineNative:
		return nil, status.Errorf(codes.InvalidArgument, "engine %q was not offered", terms.GetEngine())
	case terms.GetGuestAbi() != guestABI:
		return nil, status.Errorf(codes.InvalidArgument, "guest ABI %d was not offered", terms.GetGuestAbi())
	case !isRing && (terms.LayoutVersion != 0 || terms.RingBytes != 0 || terms.Lanes != 0 || terms.Windows ||
		terms.CapabilityRingBytes != 0 || terms.MessageTimeoutMs != 0):
		return nil, status.Error(codes.InvalidArgument, "a ring was not offered")
	}
	if s.channel != nil {
		_ = s.channel.Close()
		s.channel = nil
	}
	if isRing {
		if err := s.settleRing(terms); err != nil {
			return nil, err
		}
	}
	return terms, nil
}

// Load implements wire.SandboxServer. There is nothing to load: the tools are in
// the program. The environment came with the process, and so did the limits.
func (s *server) Load(context.Context, *wire.LoadRequest) (*wire.LoadResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.loaded {
		return nil, status.Error(codes.FailedPrecondition, "this process has been loaded before; start another one")
	}
	if len(registry.Tools()) == 0 {
		return &wire.LoadResponse{Failure: &wire.Failure{
			Kind:    wire.FailureKind_FAILURE_ABI,
			Message: "the plugin offers no tools: call guest.Tool in an init function",
		}}, nil
	}
	if err := s.confine(); err != nil {
		return nil, status.Errorf(codes.Internal, "confine the process: %v", err)
	}
	s.loaded = true
	s.serveRing()
	return &wire.LoadResponse{Manifest: registry.Manifest()}, nil
}

// Call implements wire.SandboxServer. It answers ABORTED, before anything of the
// call has run, when the process has to be replaced.
func (s *server) Call(stream wire.Sandbox_CallServer) error {
	if !s.enter() {
		return status.Error(codes.FailedPrecondition, "another call is running")
	}
	defer func() { <-s.calls }()
	s.mu.Lock()
	loaded, broken, ring := s.loaded, s.broken, s.channel != nil
	s.mu.Unlock()
	switch {
	case !loaded:
		return status.Error(codes.FailedPrecondition, "nothing is loaded")
	case ring:
		return status.Error(codes.FailedPrecondition, "calls go over the ring")
	case broken:
		return status.Error(codes.Aborted, "a tool of this process has panicked; start another one")
	}
	start, arguments, err := receive(stream)
	if err != nil {
		return err
	}
	if arguments == nil {
		return stream.Send(failed(wire.FailureKind_FAILURE_CANCELED, errCanceled.Error()))
	}
	ctx, cancel := withTimeout(stream.Context(), start.TimeoutMs)
	defer cancel()
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	l := newStreamLine(stream, end)
	go l.read()
	return s.answer(l, s.run(ctx, start.Tool, arguments, nil, l), start.MaxResultBytes)
}

// enter makes this the running call.
func (s *server) enter() bool {
	grace := time.NewTimer(graceTime)
	defer grace.Stop()
	select {
	case s.calls <- struct{}{}:
		return true
	case <-grace.C:
		return false
	}
}

// receive takes the call's start and its arguments. Memory is granted as bytes
// arrive. No arguments and no error mean that the call has been cancelled.
func receive(stream wire.Sandbox_CallServer) (*wire.CallStart, []byte, error) {
	frame, err := stream.Recv()
	if err != nil {
		return nil, nil, err
	}
	start := frame.GetStart()
	if start == nil {
		return nil, nil, status.Error(codes.InvalidArgument, "a call begins with its start")
	}
	if start.ArgumentsBytes > MaxArguments {
		return nil, nil, status.Errorf(codes.InvalidArgument, "arguments of %d bytes (at most %d)", start.ArgumentsBytes, MaxArguments)
	}
	arguments := []byte{}
	for missing := start.ArgumentsBytes; missing > 0; missing = start.ArgumentsBytes - uint64(len(arguments)) {
		if frame, err = stream.Recv(); err != nil {
			return nil, nil, err
		}
		if frame.GetCancel() != nil {
			return start, nil, nil
		}
		piece := frame.GetArguments()
		if len(piece) == 0 || len(piece) > MaxPiece || uint64(len(piece)) > missing {
			return nil, nil, status.Errorf(codes.InvalidArgument, "a piece of %d bytes where %d bytes of arguments are missing", len(piece), missing)
		}
		arguments = append(arguments, piece...)
	}
	return start, arguments, nil
}

// answer sends how the call ended. A result over the limit is said to be that, since
// one that is begun cannot be refused without losing the process.
func (s *server) answer(l *streamLine, o outcome, limit uint64) error {
	if n := uint64(len(o.data)); o.failure == nil && limit > 0 && n > limit {
		return l.send(failed(wire.FailureKind_FAILURE_LIMIT, fmt.Sprintf("the result has %d bytes (maximum %d)", n, limit)))
	}
	if o.failure != nil {
		return l.send(&wire.SandboxFrame{Kind: &wire.SandboxFrame_Failure{Failure: o.failure}})
	}
	head := &wire.ResultHead{Status: o.status, ResultBytes: uint64(len(o.data))}
	err := l.send(&wire.SandboxFrame{Kind: &wire.SandboxFrame_Result{Result: head}})
	for rest := o.data; len(rest) > 0 && err == nil; {
		piece := rest[:min(len(rest), MaxPiece)]
		rest = rest[len(piece):]
		err = l.send(&wire.SandboxFrame{Kind: &wire.SandboxFrame_Data{Data: piece}})
	}
	return err
}

// withTimeout bounds the call; 0 is no bound but the stream's.
func withTimeout(ctx context.Context, ms uint64) (context.Context, context.CancelFunc) {
	if ms == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Duration(min(ms, math.MaxInt32))*time.Millisecond)
}

func failed(kind wire.FailureKind, text string) *wire.SandboxFrame {
	return &wire.SandboxFrame{Kind: &wire.SandboxFrame_Failure{Failure: &wire.Failure{Kind: kind, Message: text}}}
}
