package sandbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ringfence/ringfence/host/internal/launch"
	"github.com/ringfence/ringfence/pluginkit/wire"
)

// Trial is what one sandbox showed that was started like any other and then
// given nothing to run.
type Trial struct {
	// Took is the time from the start of its launch to the end of the
	// negotiation.
	Took time.Duration
	// Filters are those that the kernel says are in force, as there are before a
	// module is loaded.
	Filters int
	// Unnamed says why system calls that its filter refuses have no name in
	// errors; "" when they have.
	Unnamed string
	// NoRing says why its calls would go over gRPC; "" when they would not.
	NoRing string
}

// Try starts a sandbox, negotiates, looks at it and ends it.
func (f *Factory) Try(ctx context.Context) (t Trial, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, f.LoadTimeout, fmt.Errorf("%w: not ready within %s", ErrStart, f.LoadTimeout))
	defer cancel()
	spec, began := f.spec("trial"), time.Now()
	spec.Notices, spec.Channel = true, true
	process, err := launch.Start(ctx, spec)
	if errors.Is(err, launch.ErrNotices) {
		t.Unnamed = err.Error()
		spec.Notices = false
		process, err = launch.Start(ctx, spec)
	} else if err == nil && !process.Notified() {
		t.Unnamed = "the kernel gave the sandbox no listener for its filter"
	}
	if err != nil {
		return t, fmt.Errorf("%w: %w", ErrStart, ended(err))
	}
	s := &Sandbox{process: process, client: wire.NewSandboxClient(process.Conn()), log: f.Logger}
	defer s.Kill()
	if _, err = s.negotiate(ctx, Plan{Engine: "wasmer"}, false); err != nil {
		return t, s.explain(ctx, err)
	}
	if err := s.confined(f.Jail != nil, whileCompiling); err != nil {
		return t, err
	}
	c, err := process.Confinement()
	t.Took, t.Filters, t.NoRing = time.Since(began), c.Filters, s.reason
	return t, err
}
