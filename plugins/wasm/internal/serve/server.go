package serve

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/go-hclog"
	"github.com/ringfence/ringfence/internal/seccomp"
	"github.com/ringfence/ringfence/pluginkit"
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
	for name := range s.config.Engines {
		offer.Engines = append(offer.Engines, name)
	}
	slices.Sort(offer.Engines)
	return offer, nil
}

// Settle implements wire.SandboxServer.
func (s *Server) Settle(_ context.Context, terms *wire.Terms) (*wire.Terms, error) {
	refuse := func(format string, args ...any) (*wire.Terms, error) {
		return nil, status.Errorf(codes.InvalidArgument, format, args...)
	}
	switch {
	case terms.Transport != transportGRPC:
		return refuse("transport %q was not offered", terms.Transport)
	case s.config.Engines[terms.Engine] == nil:
		return refuse("engine %q was not offered", terms.Engine)
	case terms.GuestAbi != guestABI:
		return refuse("guest ABI %d was not offered", terms.GuestAbi)
	case terms.LayoutVersion != 0 || terms.RingBytes != 0 || terms.Lanes != 0 || terms.Windows:
		return refuse("a ring was not offered")
	}
	return terms, nil
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
