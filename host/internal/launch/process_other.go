//go:build !linux

package launch

import (
	"context"
	"fmt"
	"os"
	"time"

	"google.golang.org/grpc"

	"github.com/ringfence/ringfence/host/internal/jail"
)

// Ready is nothing on this system.
type Ready struct{}

// Keep returns nil.
func Keep(*jail.Jail) *Ready { return nil }

// Close does nothing.
func (*Ready) Close() {}

// Process is a running sandbox process.
type Process struct{}

// Start fails: sandboxes run on Linux only.
func Start(_ context.Context, s Spec) (*Process, error) {
	return nil, fmt.Errorf("launch %s: %w", clip(quote(s.Name), 100), ErrUnsupported)
}

// Conn returns nil.
func (*Process) Conn() *grpc.ClientConn { return nil }

// PID returns 0.
func (*Process) PID() int { return 0 }

// Done returns nil.
func (*Process) Done() <-chan struct{} { return nil }

// Exit returns nothing.
func (*Process) Exit() Exit { return Exit{} }

// CPUTime fails.
func (*Process) CPUTime() (time.Duration, error) { return 0, ErrUnsupported }

// Channel returns nil.
func (*Process) Channel() *Channel { return nil }

// Channel is the socket over which a ring's memory goes to a process.
type Channel struct{}

// Send fails.
func (*Channel) Send([]*os.File) error { return ErrUnsupported }

// Gone returns nil.
func (*Channel) Gone() <-chan struct{} { return nil }

// RSS fails.
func (*Process) RSS() (uint64, error) { return 0, ErrUnsupported }

// Confinement is what the kernel says of a process.
type Confinement struct {
	Filters      int
	NoNewPrivs   bool
	Capabilities uint64
}

// Confinement fails.
func (*Process) Confinement() (Confinement, error) { return Confinement{}, ErrUnsupported }

// Notified is false.
func (*Process) Notified() bool { return false }

// Stop does nothing.
func (*Process) Stop(context.Context) error { return ErrUnsupported }

// End does nothing.
func (*Process) End(error) {}

// Kill does nothing.
func (*Process) Kill() {}
