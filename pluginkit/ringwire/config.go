package ringwire

import (
	"fmt"
	"time"

	"github.com/ringfence/ringfence/pluginkit/wire"
	"github.com/ringfence/ringfence/shmchan"
)

// Layout is the version of all that is fixed between both sides about the shared
// memory: shmchan's own layout, the lanes, the slots, and the messages here. The
// two sides compare it before anything is mapped.
const Layout = 2

// Transport is the name of this transport in wire.Offer and wire.Terms.
const Transport = "ring"

// Bounds of a ring, in bytes of its data area.
const (
	MinRing = shmchan.MinData
	MaxRing = shmchan.MaxData
	// DefaultRing is each ring of the calls lane.
	DefaultRing = 4 << 20
	// DefaultCapabilities is each ring of the capabilities lane, where the calls
	// lane has as much.
	DefaultCapabilities = 1 << 20
)

// slots of every ring: the most messages in flight.
const slots = 256

// Shape is what is negotiated about a channel.
type Shape struct {
	// Ring is the data area of each ring of the calls lane, Capabilities that of
	// the other lane: multiples of 64 KiB.
	Ring, Capabilities uint64
	// MessageTimeout is how long either side may make no progress.
	MessageTimeout time.Duration
	// NoSpin has this side sleep whenever it waits, for measuring what that costs. It
	// is not negotiated; a sandbox finds it in its environment.
	NoSpin bool
}

// NoSpinEnv is the variable with which a sandbox process sets Shape.NoSpin.
const NoSpinEnv = "RINGFENCE_NO_SPIN"

// ShapeOf is the shape of a channel whose calls lane has rings of that size.
func ShapeOf(ring uint64, timeout time.Duration) Shape {
	return Shape{Ring: ring, Capabilities: min(ring, DefaultCapabilities), MessageTimeout: timeout}
}

// Check says whether both sides can make a channel of this shape.
func (s Shape) Check() error {
	for _, size := range []uint64{s.Ring, s.Capabilities} {
		if size < MinRing || size > MaxRing || size%MinRing != 0 {
			return fmt.Errorf("a ring of %d bytes (a multiple of %d from %d to %d)", size, uint64(MinRing), uint64(MinRing), uint64(MaxRing))
		}
	}
	const longest = 24 * time.Hour
	if s.MessageTimeout < time.Millisecond || s.MessageTimeout > longest {
		return fmt.Errorf("a message timeout of %s (1ms to %s)", s.MessageTimeout, longest)
	}
	return nil
}

// Config is the configuration of a channel of this shape, from the host's side,
// as both ends need it.
func (s Shape) Config() shmchan.Config {
	calls := shmchan.RingConfig{Data: int64(s.Ring), Slots: slots, MaxMessage: wire.MaxArguments}
	capabilities := shmchan.RingConfig{Data: int64(s.Capabilities), Slots: slots, MaxMessage: wire.MaxMessage}
	spin := time.Duration(0) // shmchan's default: as long as it pays
	if s.NoSpin {
		spin = -1
	}
	return shmchan.Config{
		Spin: spin,
		Lanes: []shmchan.LaneConfig{
			Calls:        {Name: "calls", Outbound: calls, Inbound: calls},
			Capabilities: {Name: "capabilities", Outbound: capabilities, Inbound: capabilities},
		},
		MessageTimeout: s.MessageTimeout,
	}
}

// Grown is the next larger shape: each ring twice as large, and none larger than
// largest; ok is false when there is no larger one.
func (s Shape) Grown(largest uint64) (next Shape, ok bool) {
	next = s
	for _, size := range []*uint64{&next.Ring, &next.Capabilities} {
		*size = max(*size, min(2**size, largest/MinRing*MinRing, MaxRing))
	}
	return next, next != s
}

// LargestCall is how many bytes of arguments fit a Call; more are pulled.
func (s Shape) LargestCall() uint64 { return s.Ring/2 - StartSize }
