package pluginkit

import (
	"context"
	"errors"
	"math"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ringfence/ringfence/pluginkit/ringserve"
	"github.com/ringfence/ringfence/pluginkit/ringwire"
	"github.com/ringfence/ringfence/pluginkit/wire"
	"github.com/ringfence/ringfence/shmchan"
)

// attacher makes the plugin's end of a ring whose memory came with the process;
// nil when none came.
type attacher func(ringwire.Shape) (*shmchan.Channel, error)

// settleRing attaches to the ring of the terms, in the place of one that was
// settled on before.
func (s *server) settleRing(terms *wire.Terms) error {
	switch {
	case s.attach == nil:
		return status.Error(codes.InvalidArgument, "a ring was not offered")
	case terms.GetLayoutVersion() != ringwire.Layout || terms.GetLanes() != ringwire.Lanes || terms.GetWindows():
		return status.Errorf(codes.InvalidArgument, "layout %d with %d lanes, windows %t, was not offered", terms.GetLayoutVersion(), terms.GetLanes(), terms.GetWindows())
	}
	shape := ringwire.Shape{Ring: terms.GetRingBytes(), Capabilities: terms.GetCapabilityRingBytes(),
		MessageTimeout: time.Duration(min(terms.GetMessageTimeoutMs(), math.MaxInt32)) * time.Millisecond}
	if err := shape.Check(); err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	channel, err := s.attach(shape)
	if err != nil {
		return status.Error(codes.FailedPrecondition, err.Error())
	}
	s.channel = channel
	return nil
}

// serveRing takes calls from the ring until the host closes it. The caller holds
// mu.
func (s *server) serveRing() {
	if s.channel == nil {
		return
	}
	channel := s.channel
	go func() {
		if err := ringserve.Serve(channel, ringTools{s}); err != nil {
			s.log.Error("the ring is lost", "error", err)
		}
	}()
}

// ringTools serves the calls that come over the ring.
type ringTools struct{ server *server }

// Call implements ringserve.Handler. The arguments are read where the host wrote
// them, in memory that this process cannot write to, and a result is written where
// the host reads it, if the tool appends to its room and that suffices.
func (t ringTools) Call(c *ringserve.Call) {
	s := t.server
	if s.isBroken() {
		_ = c.Worn()
		return
	}
	arguments, failed := ringArguments(c)
	if failed != nil {
		_ = c.Fail(failed)
		return
	}
	var room []byte
	if _, err := c.Room(); err == nil {
		room = c.RoomBytes()
	}
	o := s.run(c.Context(), c.Tool, arguments, room, ringLine{c})
	if o.failure != nil {
		_ = c.Fail(o.failure)
		return
	}
	_ = c.Result(o.status, uint64(len(o.data)), func(offset uint64, into []byte) *wire.Failure {
		copy(into, o.data[offset:]) // nothing moves when it is there already
		return nil
	})
}

// ringArguments are the arguments where they lie, or a copy of those that do not
// fit the ring.
func ringArguments(c *ringserve.Call) ([]byte, *wire.Failure) {
	if c.Handle == 0 {
		return c.Inline(), nil
	}
	arguments := make([]byte, 0, min(c.ArgumentsBytes, MaxPiece))
	err := c.Pull(func(_ uint64, b []byte) error {
		arguments = append(arguments, b...)
		return nil
	})
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return nil, &wire.Failure{Kind: wire.FailureKind_FAILURE_CANCELED, Message: errCanceled.Error()}
	case err != nil:
		return nil, &wire.Failure{Kind: wire.FailureKind_FAILURE_INTERNAL, Message: err.Error()}
	}
	return arguments, nil
}

// ringLine is a line over the ring.
type ringLine struct{ call *ringserve.Call }

func (l ringLine) ask(_ context.Context, request *wire.CapabilityRequest) (*wire.CapabilityReply, error) {
	return l.call.Request(request)
}

func (l ringLine) log(level int32, text string) { l.call.Log(level, text) }
