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

	"github.com/ringfence/ringfence/host/internal/printable"
	"github.com/ringfence/ringfence/host/internal/transport"
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
	// NoSpin has both sides sleep whenever they wait.
	NoSpin bool
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
	shape := ringwire.ShapeOf(r.Bytes, r.MessageTimeout)
	shape.NoSpin = r.NoSpin
	return shape
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
		s.reason = "the plugin does not negotiate: it was built for an older host, or without pluginkit"
		s.unaware = true
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
	} else if s.reason = s.noRingWith(offer, plan.Ring.shape()); s.reason == "" {
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

// upgrade settles on a ring, whose memory came with the process or is sent to it
// now. Whatever the ring fails of, calls go over gRPC instead; only a sandbox that
// is lost, or breaks the protocol, is an error.
func (s *Sandbox) upgrade(ctx context.Context, terms *wire.Terms, plan Plan, windows bool) (*shmchan.Channel, error) {
	if s.ring == nil {
		s.ring, s.reason = s.sendRing(plan)
	}
	if s.ring == nil {
		return nil, nil
	}
	shape := s.ring.shape
	err := s.settle(ctx, &wire.Terms{
		Transport: ringwire.Transport, Engine: terms.Engine, GuestAbi: terms.GuestAbi,
		LayoutVersion: ringwire.Layout, Lanes: ringwire.Lanes,
		RingBytes: shape.Ring, CapabilityRingBytes: shape.Capabilities,
		MessageTimeoutMs: uint64(shape.MessageTimeout.Milliseconds()),
		Windows:          windows,
	})
	if err == nil {
		s.channel = s.ring.channel
		return s.channel, nil
	}
	_ = s.ring.channel.Close()
	if !refused(ctx, err) {
		return nil, err
	}
	s.reason = "the sandbox refused it: " + printable.Line(status.Convert(err).Message(), 200)
	return nil, nil
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
func (s *Sandbox) noRingWith(offer *wire.Offer, shape ringwire.Shape) string {
	switch {
	case s.reason != "": // it did not get that far
		return s.reason
	case !slices.Contains(offer.GetTransports(), ringwire.Transport):
		s.unaware = true
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
