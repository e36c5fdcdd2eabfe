package sandbox

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc/status"

	"github.com/ringfence/ringfence/host/internal/printable"
	"github.com/ringfence/ringfence/host/internal/transport"
)

// ErrStart means that a sandbox process did not become ready.
var ErrStart = errors.New("the sandbox did not start")

// ErrCompile means that a module could not be compiled within its limits.
var ErrCompile = errors.New("the module could not be compiled")

// ErrDied means that the process ended while it was needed.
var ErrDied = errors.New("the sandbox died")

// ErrCPUTime means that a call used up its CPU time.
var ErrCPUTime = errors.New("CPU time used up")

// explain finds the cause of a failed exchange. A broken connection says little;
// that the process died, or that our own deadline passed, says more.
func (s *Sandbox) explain(ctx context.Context, err error) error {
	var failure *transport.Failure
	if errors.As(err, &failure) || errors.Is(err, transport.ErrProtocol) || errors.Is(err, ErrCompile) {
		return err
	}
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
