package sandbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ringfence/ringfence/host/internal/launch"
	"github.com/ringfence/ringfence/host/internal/manifest"
	"github.com/ringfence/ringfence/host/internal/transport"
	"github.com/ringfence/ringfence/pluginkit/wire"
	"github.com/ringfence/ringfence/shmchan"
)

// deathNotice is how long a broken connection waits for the news that the
// process died, which explains it.
const deathNotice = 100 * time.Millisecond

// Sandbox is a running sandbox process with its module loaded. It serves one
// call at a time.
type Sandbox struct {
	// Tools is what the guest says it offers.
	Tools []manifest.Tool

	process   *launch.Process
	client    wire.SandboxClient
	transport transport.Transport
	windows   bool
	reason    string           // why calls go over gRPC; "" when they do not
	channel   *shmchan.Channel // of the ring; nil without
}

// PID is the process's number.
func (s *Sandbox) PID() int { return s.process.PID() }

// TransportName names the transport in use.
func (s *Sandbox) TransportName() string { return s.transport.Name() }

// Reason says why the calls do not go over the ring; "" when they do. It may hold
// words of the sandbox, printable and bounded.
func (s *Sandbox) Reason() string { return s.reason }

// Windows says that the guest reads and writes the ring in place, by the
// sandbox's own word.
func (s *Sandbox) Windows() bool { return s.windows }

// Stats is what the transport has counted.
func (s *Sandbox) Stats() transport.Stats { return s.transport.Stats() }

// Done is closed when the process has died.
func (s *Sandbox) Done() <-chan struct{} { return s.process.Done() }

// Call runs one call. The sandbox may be used for another one when Idle says so.
func (s *Sandbox) Call(ctx context.Context, call transport.Call, cpuLimit time.Duration, caps transport.Capabilities) (transport.Result, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	defer s.watchCPU(cpuLimit, stop).end()
	result, err := s.transport.Call(ctx, call, caps)
	if err != nil {
		return transport.Result{}, s.explain(ctx, err)
	}
	return result, nil
}

// Idle reports whether the sandbox is ready for another call, waiting until ctx
// ends for an abandoned one to be over.
func (s *Sandbox) Idle(ctx context.Context) bool {
	select {
	case <-s.process.Done():
		return false
	default:
		return s.transport.Idle(ctx)
	}
}

// Kill ends the process and everything it started. It does not wait.
func (s *Sandbox) Kill() {
	s.process.Kill()
	if s.channel != nil {
		_ = s.channel.Close()
	}
}

// died describes the death of the process, if it comes within deathNotice.
func (s *Sandbox) died() error {
	select {
	case <-s.process.Done():
	case <-time.After(deathNotice):
		return nil
	}
	exit := s.process.Exit()
	if errors.Is(exit.Cause, launch.ErrMemoryLimit) {
		return fmt.Errorf("%w: %s", ErrMemory, exit)
	}
	return fmt.Errorf("%w: %s", ErrDied, exit)
}
