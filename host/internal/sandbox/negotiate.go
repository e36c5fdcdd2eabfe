package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ringfence/ringfence/host/internal/launch"
	"github.com/ringfence/ringfence/host/internal/printable"
	"github.com/ringfence/ringfence/host/internal/transport"
	"github.com/ringfence/ringfence/host/internal/transport/ringcall"
	"github.com/ringfence/ringfence/pluginkit/ringwire"
	"github.com/ringfence/ringfence/pluginkit/wire"
	"github.com/ringfence/ringfence/shmchan"
)

const (
	transportGRPC = "grpc"
	guestABI      = 1
)

// Ring is what a policy wants of a ring.
type Ring struct {
	// Bytes is each data area of the calls lane; 0 stands for the default.
	Bytes uint64
	// Largest is what it may grow to when it stays full; less than Bytes is no growth.
	Largest uint64
	// MessageTimeout is how long either side may make no progress; 0 stands for the
	// default.
	MessageTimeout time.Duration
	// Rate is how many bytes a second are taken from the sandbox; 0 is no limit.
	Rate uint64
}

// What else a sandbox may make the host do in a second. A call at full speed is
// one message, and one wake at most.
const (
	maxMessages = 1_000_000
	maxWakes    = 500_000
)

func (r Ring) shape() ringwire.Shape {
	if r.Bytes == 0 {
		r.Bytes = ringwire.DefaultRing
	}
	if r.MessageTimeout == 0 {
		r.MessageTimeout = shmchan.DefaultTimeout
	}
	return ringwire.ShapeOf(r.Bytes, r.MessageTimeout)
}

// negotiate settles how calls will travel: over a ring that both sides can make,
// or over gRPC, which every sandbox has, and s.reason says why.
func (s *Sandbox) negotiate(ctx context.Context, plan Plan, noRing bool) (*shmchan.Channel, error) {
	mine := &wire.Offer{
		Build:      "ringfence",
		Transports: []string{transportGRPC},
		Engines:    []string{plan.Engine},
		GuestAbis:  []uint32{guestABI},
		PageSize:   uint64(os.Getpagesize()),
	}
	if !noRing {
		mine.Transports = append(mine.Transports, ringwire.Transport)
		mine.LayoutVersions, mine.MaxRingBytes, mine.MaxLanes = []uint32{ringwire.Layout}, ringwire.MaxRing, ringwire.Lanes
	}
	offer, err := s.client.Negotiate(ctx, mine)
	if status.Code(err) == codes.Unimplemented {
		s.reason = "the plugin does not negotiate: it was built for an older host"
		return nil, nil // gRPC, and nothing to settle
	}
	if err != nil {
		return nil, err
	}
	terms, err := pick(offer, plan.Engine)
	if err != nil {
		return nil, err
	}
	if noRing {
		s.reason = "the host was told to use gRPC"
	} else if s.reason = noRingWith(offer, plan.Ring.shape()); s.reason == "" {
		channel, err := s.upgrade(ctx, terms, plan, offer.GetWindows() && !plan.NoWindows)
		if channel != nil || err != nil {
			return channel, err
		}
	}
	return nil, s.settle(ctx, terms)
}

// settle tells the sandbox the terms. A refusal is an error with a code of gRPC's.
func (s *Sandbox) settle(ctx context.Context, terms *wire.Terms) error {
	confirmed, err := s.client.Settle(ctx, terms)
	if err != nil {
		return err
	}
	same := confirmed.GetTransport() == terms.Transport && confirmed.GetEngine() == terms.Engine && confirmed.GetGuestAbi() == terms.GuestAbi &&
		confirmed.GetLayoutVersion() == terms.LayoutVersion && confirmed.GetRingBytes() == terms.RingBytes && confirmed.GetLanes() == terms.Lanes &&
		confirmed.GetWindows() == terms.Windows && confirmed.GetCapabilityRingBytes() == terms.CapabilityRingBytes &&
		confirmed.GetMessageTimeoutMs() == terms.MessageTimeoutMs
	if !same {
		return transport.Violation("the sandbox confirmed other terms than the host's")
	}
	return nil
}

// upgrade makes the ring's memory, sends it, and settles on it. Whatever the ring
// fails of, calls go over gRPC instead; only a sandbox that is lost, or breaks
// the protocol, is an error.
func (s *Sandbox) upgrade(ctx context.Context, terms *wire.Terms, plan Plan, windows bool) (*shmchan.Channel, error) {
	shape := plan.Ring.shape()
	socket := s.process.Channel()
	if socket == nil {
		s.reason = "the plugin was started without the socket for it"
		return nil, nil
	}
	config := shape.Config()
	config.Alive = socket.Gone()
	config.Limits = shmchan.Limits{Bytes: int64(plan.Ring.Rate), Messages: maxMessages, Wakes: maxWakes}
	s.pressure = s.watch(plan, shape, socket)
	config.OnFill = s.pressure.Fill
	offer, err := shmchan.Create(config)
	if err != nil {
		s.reason = "this system does not give the memory for it: " + err.Error()
		return nil, nil
	}
	defer offer.Close()
	if err := socket.Send(offer.Files()); err != nil {
		_ = offer.Channel().Close()
		s.reason = "its memory could not be handed over: " + err.Error()
		return nil, nil
	}
	err = s.settle(ctx, &wire.Terms{
		Transport: ringwire.Transport, Engine: terms.Engine, GuestAbi: terms.GuestAbi,
		LayoutVersion: ringwire.Layout, Lanes: ringwire.Lanes,
		RingBytes: shape.Ring, CapabilityRingBytes: shape.Capabilities,
		MessageTimeoutMs: uint64(shape.MessageTimeout.Milliseconds()),
		Windows:          windows,
	})
	if err == nil {
		s.channel = offer.Channel()
		return s.channel, nil
	}
	_ = offer.Channel().Close()
	if !refused(ctx, err) {
		return nil, err
	}
	s.reason = "the sandbox refused it: " + printable.Line(status.Convert(err).Message(), 200)
	return nil, nil
}

// watch says how the channel grows.
func (s *Sandbox) watch(plan Plan, shape ringwire.Shape, socket *launch.Channel) *ringcall.Pressure {
	log := s.log.With("plugin", plan.Plugin)
	return ringcall.NewPressure(ringcall.Growth{
		Shape: shape, Largest: plan.Ring.Largest,
		Send: func(o *shmchan.Offer) error { return socket.Send(o.Files()) },
		Grown: func(ring, capabilities uint64, windows bool) {
			s.windows.Store(windows)
			log.Info("a ring stayed full; calls go over larger ones now", "bytes", ring, "capabilities", capabilities)
		},
		Alert: func(why string) {
			s.crowded.Store(&why)
			log.Warn("a ring stays full and does not grow", "why", why)
		},
	})
}

// refused tells a sandbox that says no from one that is lost.
func refused(ctx context.Context, err error) bool {
	if ctx.Err() != nil || errors.Is(err, transport.ErrProtocol) {
		return false
	}
	switch status.Code(err) {
	case codes.Unavailable, codes.Canceled, codes.DeadlineExceeded:
		return false
	}
	return true
}

// noRingWith says why the sandbox cannot have a ring of that shape; "" when it
// can.
func noRingWith(offer *wire.Offer, shape ringwire.Shape) string {
	switch {
	case !slices.Contains(offer.GetTransports(), ringwire.Transport):
		return "the sandbox does not offer a ring"
	case !slices.Contains(offer.GetLayoutVersions(), uint32(ringwire.Layout)):
		return fmt.Sprintf("the sandbox knows the layouts %s of a ring, the host knows %d", some(offer.GetLayoutVersions()), ringwire.Layout)
	case offer.GetPageSize() != uint64(os.Getpagesize()):
		return fmt.Sprintf("the sandbox has pages of %d bytes, the host of %d", offer.GetPageSize(), os.Getpagesize())
	case offer.GetMaxRingBytes() < shape.Ring:
		return fmt.Sprintf("the sandbox takes rings of at most %d bytes, the policy asks for %d", offer.GetMaxRingBytes(), shape.Ring)
	case offer.GetMaxLanes() < ringwire.Lanes:
		return fmt.Sprintf("the sandbox takes %d lanes, the host needs %d", offer.GetMaxLanes(), ringwire.Lanes)
	}
	return ""
}

// pick chooses from what a sandbox offers. The offer is the sandbox's word: it
// can only make the host choose less.
func pick(offer *wire.Offer, engine string) (*wire.Terms, error) {
	if !slices.Contains(offer.GetTransports(), transportGRPC) {
		return nil, transport.Violation("the sandbox offers the transports %s, none of which is known", some(offer.GetTransports()))
	}
	if !slices.Contains(offer.GetEngines(), engine) {
		return nil, transport.Violation("the sandbox has the engines %s, the policy asks for %q", some(offer.GetEngines()), engine)
	}
	if !slices.Contains(offer.GetGuestAbis(), guestABI) {
		return nil, transport.Violation("the sandbox knows the guest ABIs %s, the host knows %d", some(offer.GetGuestAbis()), guestABI)
	}
	return &wire.Terms{Transport: transportGRPC, Engine: engine, GuestAbi: guestABI}, nil
}

// some shows the first of a list that may have a million entries.
func some[T any](list []T) string {
	return printable.Line(fmt.Sprint(list[:min(8, len(list))]), 200)
}
