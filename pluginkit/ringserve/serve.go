package ringserve

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/ringfence/ringfence/pluginkit/ringwire"
	"github.com/ringfence/ringfence/pluginkit/wire"
	"github.com/ringfence/ringfence/shmchan"
)

// Handler serves calls. A call is over when Call has returned, and must have been
// ended by then, with Result, Fail or Worn; if it has not, it fails.
type Handler interface{ Call(*Call) }

// Grower is a Handler that can move to larger memory, which the host offers when a
// ring stays full. Grow runs between two calls: it takes the two files that the
// host has sent, and has the channel Adopt them. It reports whether the guest has
// windows of the new memory. After an error nothing has changed, or the channel
// has ended.
type Grower interface {
	Grow(shape ringwire.Shape) (windows bool, err error)
}

// Serve serves calls until the channel ends, and returns why it did: nil when the
// host closed it.
func Serve(channel *shmchan.Channel, handler Handler) error {
	s := &server{channel: channel, calls: channel.Lane(ringwire.Calls), asks: channel.Lane(ringwire.Capabilities)}
	heard := make(chan error, 1)
	go func() { heard <- s.listen() }()
	err := s.serve(handler)
	_ = channel.Close()
	if listened := <-heard; err == nil || errors.Is(err, shmchan.ErrClosed) {
		err = listened
	}
	if errors.Is(err, shmchan.ErrPeerClosed) || errors.Is(err, shmchan.ErrClosed) {
		return nil
	}
	return err
}

type server struct {
	channel *shmchan.Channel
	calls   *shmchan.Lane
	asks    *shmchan.Lane
	inbox   inbox
}

func (s *server) serve(handler Handler) error {
	for {
		frame, err := s.calls.Consumer().Peek(context.Background())
		if err != nil {
			return err
		}
		if frame.Header().Kind == ringwire.KindGrow {
			if err := s.grow(frame, handler); err != nil {
				return err
			}
			continue
		}
		c, err := s.accept(frame)
		if err != nil {
			return err
		}
		handler.Call(c)
		if err := c.finish(); err != nil {
			return err
		}
	}
}

// accept reads the head of a call. The frame stays borrowed: the arguments lie
// in it.
func (s *server) accept(frame shmchan.Frame) (*Call, error) {
	header := frame.Header()
	if header.Kind != ringwire.KindCall || !frame.Last() || frame.Offset() != 0 {
		return nil, fmt.Errorf("the host sent a message of kind %s where a call begins", ringwire.KindName(header.Kind))
	}
	start, err := ringwire.ParseStart(frame.Bytes())
	if err != nil {
		return nil, fmt.Errorf("the host sent %w", err)
	}
	c := &Call{Start: start, server: s, number: header.Call, frame: frame}
	c.ctx.begin(start.TimeoutMillis)
	s.inbox.begin(c)
	return c, nil
}

// Call is one call. Its methods are for the goroutine that Handler.Call was
// called on, unless they say otherwise.
type Call struct {
	ringwire.Start
	server *server
	number uint32
	frame  shmchan.Frame
	ctx    callContext

	room     shmchan.Reservation // for the result, if one was made
	reserved bool

	released bool

	asking sync.Mutex // held by whoever waits for an answer, before mu
	lastID uint64     // guarded by asking

	mu     sync.Mutex // held by whoever sends on the capabilities lane
	talked bool       // guarded by mu until ended
	ended  bool       // likewise
	err    error      // of the channel; guarded by mu until ended
}

// Context ends when the host no longer wants the call, or its time is over.
func (c *Call) Context() context.Context { return &c.ctx }

// Inline is the call's arguments where the host wrote them, or nil when they are
// to be pulled. They are valid until Release and the end of the call.
func (c *Call) Inline() []byte {
	if c.Handle != 0 || c.released {
		return nil
	}
	return c.frame.Bytes()[ringwire.StartSize:]
}

// Release gives the arguments' memory back to the host. It may be left to the end
// of the call.
func (c *Call) Release() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.release()
}

func (c *Call) release() error {
	if c.released {
		return nil
	}
	c.released = true
	return c.keep(c.frame.Release())
}

// keep remembers the first error of the channel, after which nothing works.
//
// Preconditions: mu is held, or the call has ended.
func (c *Call) keep(err error) error {
	if err != nil && c.err == nil {
		c.err = err
	}
	return err
}

// Result ends the call with length bytes. They are asked for in pieces, in order:
// fill writes those from offset on to a part of the ring, or fails the call.
func (c *Call) Result(status uint32, length uint64, fill func(offset uint64, into []byte) *wire.Failure) error {
	if length > c.MaxResult {
		return c.Fail(&wire.Failure{Kind: wire.FailureKind_FAILURE_LIMIT,
			Message: fmt.Sprintf("the result has %d bytes (maximum %d)", length, c.MaxResult)})
	}
	if err := c.conclude(); err != nil {
		return err
	}
	header := shmchan.Header{Kind: c.mark(ringwire.ResultKind(status)), Call: c.number}
	producer := c.server.calls.Producer()
	room := c.room
	if !c.reserved || uint64(len(room.Bytes())) < length {
		if err := c.abandonRoom(); err != nil {
			return err
		}
		if int64(length) > producer.Largest() {
			return c.stream(header, length, fill)
		}
		var err error
		if room, err = producer.Reserve(context.Background(), int(length)); err != nil {
			return c.keep(err)
		}
	}
	c.reserved = false
	if failed := fill(0, room.Bytes()[:length]); failed != nil {
		return errors.Join(c.keep(room.Abandon()), c.fail(failed))
	}
	return c.keep(room.CommitFirst(header, int(length)))
}

// streamPiece is how much of a large result is asked for at a time, in bytes.
const streamPiece = 64 << 10

// stream sends a result that does not fit the ring, as the host makes room.
func (c *Call) stream(header shmchan.Header, length uint64, fill func(uint64, []byte) *wire.Failure) error {
	w, err := c.server.calls.Producer().Writer(context.Background(), header, int64(length))
	if err != nil {
		return c.keep(err)
	}
	piece := make([]byte, min(length, streamPiece))
	for offset := uint64(0); offset < length; {
		part := piece[:min(uint64(len(piece)), length-offset)]
		if failed := fill(offset, part); failed != nil {
			_ = w.Close() // tells the host that the result is void
			return c.fail(failed)
		}
		if _, err := w.Write(part); err != nil {
			return c.keep(errors.Join(err, w.Close()))
		}
		offset += uint64(len(part))
	}
	return c.keep(w.Close())
}

// Fail ends the call without a result.
func (c *Call) Fail(failure *wire.Failure) error {
	if err := c.conclude(); err != nil {
		return err
	}
	return c.fail(failure)
}

func (c *Call) fail(failure *wire.Failure) error {
	if err := c.abandonRoom(); err != nil {
		return err
	}
	header := shmchan.Header{Kind: c.mark(ringwire.FailureKind(failure.GetKind())), Call: c.number}
	return c.keep(c.server.calls.Producer().Send(context.Background(), header, ringwire.FailureText(failure)))
}

// Worn ends a call of which nothing has run: the host makes it again in another
// process.
func (c *Call) Worn() error {
	if err := c.conclude(); err != nil {
		return err
	}
	if err := c.abandonRoom(); err != nil {
		return err
	}
	return c.keep(c.server.calls.Producer().Send(context.Background(), shmchan.Header{Kind: ringwire.KindWorn, Call: c.number}, nil))
}

// mark tells the host that the call has sent something on the other lane.
func (c *Call) mark(kind ringwire.Kind) ringwire.Kind {
	if c.talked {
		kind |= ringwire.Talked
	}
	return kind
}

// conclude prepares the end: the host is to have its memory back, and to know
// the last of what the call asked for, before it hears of the end.
func (c *Call) conclude() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return errors.New("the call has ended already")
	}
	c.ended = true
	if err := c.release(); err != nil {
		return err
	}
	c.server.inbox.end(c)
	if !c.talked {
		return c.err
	}
	return c.keep(c.server.asks.Producer().Send(context.Background(), shmchan.Header{Kind: ringwire.KindDone, Call: c.number}, nil))
}

// finish is called when the handler has returned.
func (c *Call) finish() error {
	if !c.ended {
		_ = c.Fail(&wire.Failure{Kind: wire.FailureKind_FAILURE_INTERNAL, Message: "the call was not answered"})
	}
	c.ctx.end(context.Canceled)
	return c.err
}
