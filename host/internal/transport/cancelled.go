package transport

import (
	"context"
	"errors"
	"time"

	"github.com/ringfence/ringfence/pluginkit/wire"
)

// WhoCancelled puts the host's own reason in the place of a sandbox's word that
// the call was cancelled. Both watch the same deadline, and the sandbox may be
// the first to notice; without a reason here, it has no business to stop.
func WhoCancelled(ctx context.Context, err error) error {
	var failure *Failure
	if !errors.As(err, &failure) || failure.Kind != wire.FailureKind_FAILURE_CANCELED {
		return err
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= 0 {
		<-ctx.Done() // the timer is due
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return Violation("it cancelled a call that nobody had cancelled")
}

// TimeLeft is what a sandbox is told of the call's time, in milliseconds, rounded
// up so that the sandbox's time ends after the host's. 0 is no limit.
func TimeLeft(ctx context.Context) uint64 {
	deadline, ok := ctx.Deadline()
	if !ok {
		return 0
	}
	return uint64(max(0, time.Until(deadline).Milliseconds()) + 1)
}
