// Package waiting tells tests when somebody begins to wait, so that they need not
// sleep and hope.
package waiting

import (
	"context"
	"sync"
)

// Context is a context that tells when somebody begins to wait for its end.
type Context struct {
	context.Context
	// Begun is closed when Done is asked for, for the first time.
	Begun chan struct{}

	once sync.Once
}

// New makes a Context of ctx.
func New(ctx context.Context) *Context { return &Context{Context: ctx, Begun: make(chan struct{})} }

// Done implements context.Context.
func (c *Context) Done() <-chan struct{} {
	c.once.Do(func() { close(c.Begun) })
	return c.Context.Done()
}
