package sandbox

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/ringfence/ringfence/host/internal/launch"
	"github.com/ringfence/ringfence/host/internal/manifest"
	"github.com/ringfence/ringfence/host/internal/printable"
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
	// Extras is what it offers beside tools.
	Extras manifest.Extras
	// Engine is what runs the guest: "wasmer", "wazero", or pluginkit.EngineNative
	// for a plugin that needs none.
	Engine string

	process   *launch.Process
	client    wire.SandboxClient
	transport transport.Transport
	log       hclog.Logger
	windows   atomic.Bool
	reason    string           // why calls go over gRPC; "" when they do not
	ring      *ring            // that was made; calls may go over gRPC all the same
	channel   *shmchan.Channel // of the ring that calls go over; nil without
	unaware   bool             // it knows of no ring
	gone      chan struct{}    // closed when the process has died
	crowded   atomic.Pointer[string]
	cpu       cpuWatch
	rested    atomic.Pointer[rest]
}

// rest is when a sandbox had nothing more to do, and the CPU time it had used.
type rest struct {
	at  time.Time
	cpu time.Duration
}

// rest notes that nobody calls from now on.
func (s *Sandbox) rest(cpu time.Duration) { s.rested.Store(&rest{at: time.Now(), cpu: cpu}) }

// idleShare is the part of one processor that a sandbox may use all the time
// while nobody calls, as 1/idleShare: its runtime's housekeeping.
const idleShare = 100

// StopIdle ends a sandbox that nobody calls, if it has computed more than limit
// since it has been at rest, which begins a moment after its last call, and reports
// whether it has. (In between it makes the next instance ready.) It does not wait.
func (s *Sandbox) StopIdle(limit time.Duration) bool {
	r := s.rested.Load()
	now, err := s.process.CPUTime()
	if r == nil || err != nil {
		return false
	}
	used := now - r.cpu
	if used <= limit+time.Since(r.at)/idleShare {
		return false
	}
	s.process.End(fmt.Errorf("%w: %s (cpu_time = %s)", ErrIdleCPU, used.Round(time.Millisecond), limit))
	return true
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
func (s *Sandbox) Windows() bool { return s.windows.Load() }

// Crowded says why a ring that stayed full did not grow; "" when none has. It may
// hold words of the sandbox, printable and bounded.
func (s *Sandbox) Crowded() string {
	if why := s.crowded.Load(); why != nil {
		return *why
	}
	return ""
}

// Stats is what the transport has counted.
func (s *Sandbox) Stats() transport.Stats { return s.transport.Stats() }

// Done is closed when the process has died.
func (s *Sandbox) Done() <-chan struct{} { return s.process.Done() }

// Call runs one call. The sandbox may be used for another one when Idle says so.
func (s *Sandbox) Call(ctx context.Context, call transport.Call, cpuLimit time.Duration, caps transport.Capabilities) (transport.Result, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	watched := s.cpu.begin(cpuLimit, stop)
	defer watched.end()
	s.rested.Store(nil)
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
	return deathOf(s.process.Exit())
}

// End waits for the end of the process and says what it ended of; nil is an end
// that the host wanted.
func (s *Sandbox) End() error {
	exit := s.process.Exit()
	if exit.Killed && exit.Cause == nil {
		return nil
	}
	return deathOf(exit)
}

// deathOf puts an exit into an error. Each is an ErrDied, and one that the
// process could not help is told apart.
func deathOf(exit launch.Exit) error {
	kind := ErrDied
	switch {
	case errors.Is(exit.Cause, launch.ErrMemoryLimit):
		kind = ErrMemory
	case errors.Is(exit.Cause, launch.ErrSyscall):
		kind = ErrSyscall
	case errors.Is(exit.Cause, ErrIdleCPU):
		kind = ErrIdleCPU
	case exit.Signal == syscall.SIGKILL && !exit.Killed, exit.Signal == syscall.SIGTERM:
		kind = ErrKilled
	}
	return &death{kind: kind, exit: exit}
}

// death is the end of a process, as a line without its last words.
type death struct {
	kind error
	exit launch.Exit
}

func (d *death) Error() string {
	if d.kind == ErrSyscall {
		return fmt.Sprintf("%v: %v", d.kind, d.exit.Cause)
	}
	return fmt.Sprintf("%v: %v", d.kind, d.exit)
}

func (d *death) Is(target error) bool { return target == d.kind || target == ErrDied }

// lastWords are the last lines that a dead process printed, as the end of a
// sentence. They are its own words.
func lastWords(err error) string {
	died, ok := errors.AsType[*death](err)
	if !ok || len(died.exit.Stderr) == 0 {
		return ""
	}
	return "; it printed: " + printable.Line(strings.Join(died.exit.Stderr, " / "), 300)
}

// ended makes the death of a process that was being launched one of ours.
func ended(err error) error {
	var died *launch.DiedError
	if errors.As(err, &died) && died.Exit.Cause != nil {
		return fmt.Errorf("%w: %w", deathOf(died.Exit), err)
	}
	return err
}
