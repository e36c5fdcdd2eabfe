package mcp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"syscall"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// Serve serves one client until it goes away or ctx ends, which is no error and
// the end of the whole server. It does not matter at which end of the pipes the
// client is missed first, nor what was on its way. An error is a client that
// writes something else than messages, or an out that fails with somebody there.
//
// Nothing but the protocol is written to out.
func (s *Server) Serve(ctx context.Context, in io.ReadCloser, out io.WriteCloser) error {
	watched := &outlet{WriteCloser: out}
	session, err := s.sdk.Connect(ctx, &sdk.IOTransport{Reader: in, Writer: watched, MaxLineLength: maxMessage}, nil)
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- session.Wait() }()
	select {
	case err := <-ended:
		return end(err, watched.failure())
	case <-ctx.Done():
		s.stop() // calls end first: closing waits for them
		closeSession(session)
		return nil
	}
}

// outlet keeps the first error of writing. A session that ends by it closes its
// input, and may then say no more than that its input is closed.
type outlet struct {
	io.WriteCloser

	mu     sync.Mutex
	failed error // guarded by mu
}

func (o *outlet) Write(b []byte) (int, error) {
	n, err := o.WriteCloser.Write(b)
	if err != nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.failed == nil {
			o.failed = err
		}
	}
	return n, err
}

func (o *outlet) failure() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.failed
}

// end is what to say of a session that has ended, and of the first write that
// failed in it.
func end(session, write error) error {
	switch {
	case write != nil && !gone(write):
		return fmt.Errorf("to the client: %w", write)
	case session != nil && !gone(session):
		return fmt.Errorf("from the client: %w", session)
	}
	return nil
}

// gone reports whether an error of a pipe says that nobody is at its other end,
// or that we have closed our own, which only happens after the former.
func gone(err error) bool {
	for _, e := range []error{io.EOF, io.ErrClosedPipe, fs.ErrClosed, syscall.EPIPE, syscall.ECONNRESET} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
