// Package guestctx gives a guest the context of the call that is running, for
// libraries that want one.
//
//	ctx, cancel := guestctx.New()
//	defer cancel()
//
// It is apart because package context is a fifteenth of a small module; Deadline of
// package guest needs nothing. A native plugin has better: guest.ToolContext.
package guestctx

import (
	"context"
	"time"

	"github.com/ringfence/ringfence/pluginkit/guest"
)

// New returns a context that ends when the call does, and when cancel is called. Where
// a call has no end, nor has the context.
//
// A guest has one thread. Nothing interrupts it while it computes, nor while the host
// works for it, so whatever the context is for looks at it in between: Err is right at
// every moment, and Done is closed when goroutines get their turn. When a caller gives
// up before the call's time is over, the guest is not told but ended.
func New() (ctx context.Context, cancel context.CancelFunc) {
	end, ok := guest.Deadline()
	if !ok {
		return context.WithCancel(context.Background())
	}
	ctx, cancel = context.WithDeadline(context.Background(), end)
	return punctual{ctx, end}, cancel
}

// punctual does not wait for a timer, which does not run while the guest computes.
type punctual struct {
	context.Context
	end time.Time
}

func (p punctual) Err() error {
	if err := p.Context.Err(); err != nil || time.Now().Before(p.end) {
		return err
	}
	return context.DeadlineExceeded
}
