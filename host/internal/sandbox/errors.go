package sandbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ringfence/ringfence/host/internal/printable"
	"github.com/ringfence/ringfence/host/internal/transport"
)

// ErrStart means that a sandbox process did not become ready.
var ErrStart = errors.New("the sandbox did not start")

// ErrCompile means that a module could not be compiled within its limits.
var ErrCompile = errors.New("the module could not be compiled")

// ErrDied means that the process ended while it was needed. What it ended of is
// one of the four below, or else its own doing: a crash, or an exit.
var ErrDied = errors.New("the sandbox died")

// ErrMemory means that the process used more memory than it may, all in all,
// and the kernel ended it. A guest that meets its own limit is told so before.
var ErrMemory = errors.New("the sandbox used up its memory")

// ErrSyscall means that the process made a system call that its filter does not
// allow, and was ended for it.
var ErrSyscall = errors.New("the sandbox was stopped by its filter")

// ErrKilled means that somebody else than the host killed the process.
var ErrKilled = errors.New("the sandbox was killed from outside")

// ErrIdleCPU means that the process computed while no call ran.
var ErrIdleCPU = errors.New("CPU time used between calls")

// ErrCPUTime means that a call used up its CPU time.
var ErrCPUTime = errors.New("CPU time used up")

// explain finds the cause of a failed exchange. A broken connection says little;
// that the process died, or that our own deadline passed, says more.
func (s *Sandbox) explain(ctx context.Context, err error) error {
	var failure *transport.Failure
	if errors.As(err, &failure) || errors.Is(err, transport.ErrProtocol) || errors.Is(err, transport.ErrWorn) || errors.Is(err, ErrCompile) {
		return err
	}
	awaitDeadline(ctx, err)
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if died := s.died(); died != nil {
		return died
	}
	if st, ok := status.FromError(err); ok {
		return fmt.Errorf("%w: %s: %s", transport.ErrLost, st.Code(), printable.Line(st.Message(), 256))
	}
	return err
}

// awaitDeadline waits for our own deadline when the peer says that it has passed:
// gRPC tells the peer of it, whose clock may be a moment ahead of our timer. A
// peer that says so at any other time is not believed.
func awaitDeadline(ctx context.Context, err error) {
	deadline, ok := ctx.Deadline()
	if ok && status.Code(err) == codes.DeadlineExceeded && time.Until(deadline) < deathNotice {
		<-ctx.Done()
	}
}
