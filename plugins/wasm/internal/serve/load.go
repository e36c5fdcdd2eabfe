package serve

import (
	"context"
	"strings"
	"time"

	"github.com/ringfence/ringfence/internal/seccomp"
	"github.com/ringfence/ringfence/pluginkit/wire"
	"github.com/ringfence/ringfence/plugins/wasm/internal/guest"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// maxGuestMemory is what 32-bit pointers reach.
const maxGuestMemory = 4 << 30

// exitStuck is the exit status of a process whose guest looped between calls.
const exitStuck = 3

// Load implements wire.SandboxServer.
func (s *Server) Load(ctx context.Context, request *wire.LoadRequest) (*wire.LoadResponse, error) {
	if err := checkLoad(request); err != nil {
		return nil, err
	}
	if err := s.become(runner); err != nil {
		return nil, err
	}
	e, err := s.engine(request.Engine)
	if err != nil {
		return nil, err
	}
	if err := s.config.Limit(runLimits(request.GuestMemoryBytes, request.ArtifactBytes)); err != nil {
		return nil, status.Errorf(codes.Internal, "set the limits of the process: %v", err)
	}
	code, err := s.config.Module(request.ArtifactBytes)
	if err != nil {
		return nil, status.Errorf(codes.FailedPrecondition, "take the compiled code: %v", err)
	}
	module, err := e.Load(code.Bytes())
	code.Close()
	if err != nil {
		return &wire.LoadResponse{Failure: failure(guest.FailureOf(err))}, nil
	}
	// From here on no memory becomes executable. Instantiating runs the start
	// function of the module, so this comes before.
	if err := s.config.Confine(seccomp.Two); err != nil {
		return nil, status.Errorf(codes.Internal, "confine the process: %v", err)
	}
	plugin := guest.New(guest.Config{
		Pages:       s.pages(request.Lifetime),
		Module:      module,
		Environ:     environ(request.Environment),
		MemoryLimit: request.GuestMemoryBytes,
		Session:     request.Lifetime == wire.Lifetime_LIFETIME_SESSION,
		Idle:        time.Duration(min(request.SessionIdleMs, uint64(24*time.Hour/time.Millisecond))) * time.Millisecond,
		Stuck: func() {
			s.config.Log.Error("the guest does not return between calls; ending the process")
			s.config.Exit(exitStuck)
		},
	})
	manifest, failed := plugin.Describe(ctx)
	if failed != nil {
		return &wire.LoadResponse{Failure: failure(failed)}, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.plugin = plugin
	s.serveRing(plugin)
	s.close = func() { module.Close(); e.Close() }
	return &wire.LoadResponse{Manifest: manifest, Windows: plugin.Windowed()}, nil
}

// pages are what may become windows of guests: of a session's instance only.
// A window shows what earlier calls left in the ring, which the instance of a
// single call must not see.
func (s *Server) pages(lifetime wire.Lifetime) *guest.Pages {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.channel == nil || !s.windows || lifetime != wire.Lifetime_LIFETIME_SESSION {
		return nil
	}
	return s.channel.pages()
}

func checkLoad(request *wire.LoadRequest) error {
	switch {
	case request.GuestMemoryBytes == 0 || request.GuestMemoryBytes > maxGuestMemory:
		return status.Errorf(codes.InvalidArgument, "guest memory of %d bytes (1 to %d)", request.GuestMemoryBytes, uint64(maxGuestMemory))
	case request.Lifetime != wire.Lifetime_LIFETIME_CALL && request.Lifetime != wire.Lifetime_LIFETIME_SESSION:
		return status.Errorf(codes.InvalidArgument, "lifetime %v", request.Lifetime)
	}
	for _, v := range request.Environment {
		if v.Name == "" || strings.ContainsAny(v.Name, "=\x00") || strings.Contains(v.Value, "\x00") {
			return status.Errorf(codes.InvalidArgument, "environment variable %q", v.Name)
		}
	}
	return nil
}

func environ(variables []*wire.Variable) []string {
	out := make([]string, len(variables))
	for i, v := range variables {
		out[i] = v.Name + "=" + v.Value
	}
	return out
}
