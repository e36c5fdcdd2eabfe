package serve

import (
	"context"
	"math"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/ringfence/ringfence/internal/seccomp"
	"github.com/ringfence/ringfence/pluginkit"
	"github.com/ringfence/ringfence/pluginkit/ringserve"
	"github.com/ringfence/ringfence/pluginkit/ringwire"
	"github.com/ringfence/ringfence/pluginkit/wire"
	"github.com/ringfence/ringfence/plugins/wasm/internal/engine"
	"github.com/ringfence/ringfence/plugins/wasm/internal/guest"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	transportGRPC = "grpc"
	guestABI      = 1
)

// Config is what a server needs of its process.
type Config struct {
	Build   string // for logs
	Engines map[string]func() engine.Engine
	// Module takes over the descriptor with the module or the compiled code.
	Module func(size uint64) (*Mapping, error)
	// Ring attaches the ring whose memory the host has sent; nil without a socket
	// for it.
	Ring func(ringwire.Shape) (*Ring, error)
	// Limit lowers the limits of this process, for good.
	Limit func(Limits) error
	// Confine puts a stage of the system-call filter in force, for good.
	Confine func(seccomp.Stage) error
	// Exit ends the process. It is called when a guest loops between calls.
	Exit func(code int)
	Log  hclog.Logger
}

// Server implements wire.SandboxServer.
type Server struct {
	wire.UnimplementedSandboxServer
	config Config

	mu     sync.Mutex
	role   role
	plugin *guest.Plugin
	calls  chan struct{} // held by the running call
	close  func()
	// channel is what the host has settled on, nil for gRPC; guarded by mu.
	channel *Ring
	windows bool          // settled on: the ring's pages may be mapped into guests
	serving chan struct{} // closed when the ring is no longer served

	overflows atomic.Int32
}

type role int

const (
	undecided role = iota
	compiler
	runner
)

// New makes a server.
func New(config Config) *Server {
	return &Server{config: config, calls: make(chan struct{}, 1)}
}

// Negotiate implements wire.SandboxServer. What the host offers does not change
// what this process can do; the host picks from both.
func (s *Server) Negotiate(context.Context, *wire.Offer) (*wire.Offer, error) {
	offer := &wire.Offer{
		Build:      s.config.Build,
		Transports: []string{transportGRPC},
		GuestAbis:  []uint32{guestABI},
	}
	if s.config.Ring != nil {
		offer.Transports = append(offer.Transports, ringwire.Transport)
		offer.LayoutVersions = []uint32{ringwire.Layout}
		offer.PageSize = uint64(os.Getpagesize())
		offer.MaxRingBytes, offer.MaxLanes = ringwire.MaxRing, ringwire.Lanes
		offer.Windows = true
	}
	for name := range s.config.Engines {
		offer.Engines = append(offer.Engines, name)
	}
	slices.Sort(offer.Engines)
	return offer, nil
}

// Settle implements wire.SandboxServer. A host may settle anew until it loads.
func (s *Server) Settle(_ context.Context, terms *wire.Terms) (*wire.Terms, error) {
	refuse := func(format string, args ...any) (*wire.Terms, error) {
		return nil, status.Errorf(codes.InvalidArgument, format, args...)
	}
	isRing := terms.Transport == ringwire.Transport && s.config.Ring != nil
	switch {
	case terms.Transport != transportGRPC && !isRing:
		return refuse("transport %q was not offered", terms.Transport)
	case s.config.Engines[terms.Engine] == nil:
		return refuse("engine %q was not offered", terms.Engine)
	case terms.GuestAbi != guestABI:
		return refuse("guest ABI %d was not offered", terms.GuestAbi)
	case !isRing && (terms.LayoutVersion != 0 || terms.RingBytes != 0 || terms.Lanes != 0 || terms.Windows ||
		terms.CapabilityRingBytes != 0 || terms.MessageTimeoutMs != 0):
		return refuse("a ring was not offered")
	case isRing && (terms.LayoutVersion != ringwire.Layout || terms.Lanes != ringwire.Lanes):
		return refuse("layout %d with %d lanes was not offered", terms.LayoutVersion, terms.Lanes)
	}
	if err := s.settleOn(terms, isRing); err != nil {
		return nil, err
	}
	return terms, nil
}

// settleOn replaces the channel by the one of the terms, or by none.
func (s *Server) settleOn(terms *wire.Terms, isRing bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.role != undecided {
		return status.Error(codes.FailedPrecondition, "the terms are settled")
	}
	if s.channel != nil {
		s.channel.Close()
		s.channel = nil
	}
	if !isRing {
		return nil
	}
	shape := ringwire.Shape{Ring: terms.RingBytes, Capabilities: terms.CapabilityRingBytes,
		MessageTimeout: time.Duration(min(terms.MessageTimeoutMs, math.MaxInt32)) * time.Millisecond}
	err := shape.Check()
	if err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	if s.channel, err = s.config.Ring(shape); err != nil {
		return status.Error(codes.FailedPrecondition, err.Error())
	}
	s.windows = terms.Windows
	return nil
}

// ring is the channel that calls go over, if it was settled on.
func (s *Server) ring() *Ring {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.channel
}

// serveRing takes calls from the ring until the host closes it. The caller holds
// mu.
func (s *Server) serveRing(plugin *guest.Plugin) {
	if s.channel == nil {
		return
	}
	ring, over := s.channel, make(chan struct{})
	s.serving = over
	go func() {
		defer close(over)
		calls := &ringCalls{server: s, plugin: plugin, ring: ring, epoch: ring.Channel.Epoch()}
		if err := ringserve.Serve(ring.Channel, calls); err != nil {
			s.config.Log.Error("the ring is lost", "error", err)
		}
	}()
}

// become decides the process's role, which it has once and for all.
func (s *Server) become(r role) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.role != undecided {
		return status.Error(codes.FailedPrecondition, "this process has compiled or loaded a module before; start another one")
	}
	s.role = r
	return nil
}

func (s *Server) engine(name string) (engine.Engine, error) {
	start := s.config.Engines[name]
	if start == nil {
		return nil, status.Errorf(codes.InvalidArgument, "engine %q is not in this build", name)
	}
	return start(), nil
}

// Close ends the guest, if it is still, and frees the engine. It is for tests:
// the process ends by being killed.
func (s *Server) Close(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.channel != nil {
		s.channel.Close()
	}
	if s.serving != nil {
		<-s.serving
	}
	if s.plugin != nil && s.plugin.Close(ctx) {
		s.close()
	}
	s.plugin = nil
}

func failure(f *guest.Failure) *wire.Failure {
	return &wire.Failure{Kind: f.Kind, Message: f.Message}
}

// pieces cuts n bytes into ranges of at most MaxPiece.
func pieces(n uint64, each func(offset, length uint64) error) error {
	for offset := uint64(0); offset < n; offset += pluginkit.MaxPiece {
		if err := each(offset, min(n-offset, pluginkit.MaxPiece)); err != nil {
			return err
		}
	}
	return nil
}
