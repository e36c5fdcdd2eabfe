package ringcall

import (
	"context"
	"errors"

	"github.com/ringfence/ringfence/host/internal/printable"
	"github.com/ringfence/ringfence/host/internal/transport"
	"github.com/ringfence/ringfence/pluginkit"
	"github.com/ringfence/ringfence/pluginkit/ringwire"
	"github.com/ringfence/ringfence/shmchan"
)

// partial is what has come of a call's end. A receiver whose context has ended
// leaves it to the next one.
type partial struct {
	data   []byte
	talked bool
	last   bool // nothing more is to come on the calls lane
}

// receive takes messages of the calls lane until the one that ends the call.
//
// Errors: *transport.Failure, transport.ErrWorn, transport.ErrProtocol, and those
// of shmchan.
func (t *Transport) receive(ctx context.Context, c *running) (transport.Result, error) {
	for {
		f, err := t.calls.Consumer().Peek(ctx)
		if errors.Is(err, shmchan.ErrAborted) {
			c.part.data = nil // a result that broke off; the failure comes next
			continue
		}
		if err != nil {
			return transport.Result{}, err
		}
		err = t.take(c, f)
		header, last := f.Header(), f.Last()
		if released := f.Release(); err == nil {
			err = released
		}
		if err != nil {
			return transport.Result{}, err
		}
		if last {
			return t.conclude(c, header)
		}
	}
}

// take copies the bytes of one frame out of the shared memory, where the sandbox
// can change them at any time, into the host's own. Memory is granted as bytes
// arrive, never on the declared total.
func (t *Transport) take(c *running, f shmchan.Frame) error {
	kind := f.Header().Kind &^ ringwire.Talked
	if got := f.Header().Call; got != c.number {
		return t.violate(transport.Violation("the end of call %d (call %d runs)", got, c.number))
	}
	most := uint64(0)
	_, isResult := ringwire.ResultStatus(kind)
	_, isFailure := ringwire.FailureOf(kind)
	switch {
	case isResult:
		most = c.maxResult
	case isFailure:
		most = pluginkit.MaxFailure
	case kind != ringwire.KindWorn:
		return t.violate(transport.Violation("a message of kind %s on the calls lane", ringwire.KindName(kind)))
	}
	if total := uint64(f.Total()); total > most {
		return t.violate(transport.Violation("a %s of %d bytes (maximum %d)", ringwire.KindName(kind), total, most))
	}
	if f.Offset() == 0 {
		c.part.data = nil
	}
	have := len(c.part.data)
	c.part.data = grown(c.part.data, f.Len(), int(f.Total()))
	_, err := f.CopyTo(c.part.data[have:])
	return err
}

// grown makes room for n more bytes, at least doubling the memory but never
// beyond the total.
func grown(b []byte, n, total int) []byte {
	need := len(b) + n
	if need <= cap(b) {
		return b[:need]
	}
	bigger := make([]byte, need, max(need, min(2*cap(b), total)))
	copy(bigger, b)
	return bigger
}

// conclude makes the end of a call of its last message.
func (t *Transport) conclude(c *running, header shmchan.Header) (transport.Result, error) {
	kind := header.Kind &^ ringwire.Talked
	c.part.talked, c.part.last = header.Kind&ringwire.Talked != 0, true
	if status, ok := ringwire.ResultStatus(kind); ok {
		return transport.Result{Status: transport.Status(status), Data: c.part.data}, nil
	}
	if kind == ringwire.KindWorn {
		return transport.Result{}, t.worn(c)
	}
	failure, _ := ringwire.FailureOf(kind) // take let nothing else through
	return transport.Result{}, &transport.Failure{Kind: failure, Message: printable.Line(string(c.part.data), pluginkit.MaxFailure)}
}

// worn believes a sandbox that wants to be replaced if nothing has happened yet:
// the call will be made again elsewhere.
func (t *Transport) worn(c *running) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if c.part.talked || c.asked > 0 {
		return t.violateLocked(transport.Violation("it was worn out in the middle of a call"))
	}
	return transport.ErrWorn
}
