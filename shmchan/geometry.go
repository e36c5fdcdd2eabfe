package shmchan

import (
	"fmt"
	"os"
	"time"
)

// Sizes of a ring.
const (
	MinData         = areaAlign // bytes
	MaxData         = 1 << 30   // bytes
	DefaultData     = 4 << 20   // bytes
	MinSlots        = 4
	MaxSlots        = 1 << 16
	DefaultSlots    = 256
	DefaultMessage  = 64 << 20 // bytes, largest message in all its fragments
	maxMessageLimit = 1 << 40
	// DefaultTimeout is how long a peer may make no progress.
	DefaultTimeout = 5 * time.Second
)

// Config describes a channel. Both ends are given the same one: Outbound and
// Inbound are named from the creator's side. The zero value of every field
// stands for its default; no lanes at all means one lane.
type Config struct {
	Lanes     []LaneConfig
	HugePages bool // ask for 2 MiB pages; Stats says what was got
	// Epoch numbers the first memory of this channel; 0 is 1 for Create, and
	// "whatever the creator says" for Attach.
	Epoch uint64

	// Limits holds the peer to rates; see Limits.
	Limits Limits
	// OnFill is called when a ring's data area crosses 80 or 90 percent, or
	// falls back. It runs on the goroutine that used the ring, with no lock held.
	OnFill func(FillEvent)
	// Spin is how long a wait may burn the CPU before it sleeps: 0 is 50 µs,
	// which is also the most; negative is never.
	Spin time.Duration
	// MessageTimeout bounds each wait for the peer's progress: for room in a
	// ring, and for the next fragment of a message that has begun. It does not
	// bound the wait for a message to begin; the context does. 0 is 5 s.
	MessageTimeout time.Duration
	// Alive is closed when the peer is known to be dead. It ends the channel
	// with ErrPeerDied. Nil: nobody watches, and waits end by their deadlines.
	Alive <-chan struct{}
}

// LaneConfig describes a lane, which is a ring each way. What is borrowed on one
// lane never holds up another.
type LaneConfig struct {
	Name     string     // for people; not shared with the peer
	Outbound RingConfig // creator to attacher
	Inbound  RingConfig // attacher to creator
}

// RingConfig describes one ring.
type RingConfig struct {
	Data       int64 // bytes of the data area: a multiple of 64 KiB up to 1 GiB; 0 is 4 MiB
	Slots      int   // most frames in flight: a power of two from 4 to 65536; 0 is 256
	MaxMessage int64 // largest message in all its fragments; 0 is 64 MiB
}

// ringGeometry is a RingConfig that was checked, and where it lies.
type ringGeometry struct {
	slots      int
	data       int64
	maxMessage int64
	slotsOff   int64
	dataOff    int64
}

// largestFrame is half the area, so that of any two frames one can be written
// while the other is read.
func (g *ringGeometry) largestFrame() int64 { return g.data / 2 }

// geometry is where everything lies in the two regions of a pair.
type geometry struct {
	out, in         []ringGeometry // by lane, from the creator's side
	outSize, inSize int64
	huge            bool
}

// withDefaults fills in what was left out.
func (c Config) withDefaults() Config {
	if len(c.Lanes) == 0 {
		c.Lanes = make([]LaneConfig, 1)
	}
	lanes := make([]LaneConfig, len(c.Lanes))
	for i, l := range c.Lanes {
		l.Outbound, l.Inbound = l.Outbound.withDefaults(), l.Inbound.withDefaults()
		lanes[i] = l
	}
	c.Lanes = lanes
	if c.MessageTimeout == 0 {
		c.MessageTimeout = DefaultTimeout
	}
	return c
}

func (r RingConfig) withDefaults() RingConfig {
	if r.Data == 0 {
		r.Data = DefaultData
	}
	if r.Slots == 0 {
		r.Slots = DefaultSlots
	}
	if r.MaxMessage == 0 {
		r.MaxMessage = DefaultMessage
	}
	return r
}

func (r RingConfig) check(where string) error {
	switch {
	case r.Data < MinData || r.Data > MaxData || r.Data%areaAlign != 0:
		return fmt.Errorf("%w: %s: data area of %d bytes (a multiple of %d from %d to %d)", ErrConfig, where, r.Data, areaAlign, MinData, MaxData)
	case r.Slots < MinSlots || r.Slots > MaxSlots || r.Slots&(r.Slots-1) != 0:
		return fmt.Errorf("%w: %s: %d slots (a power of two from %d to %d)", ErrConfig, where, r.Slots, MinSlots, MaxSlots)
	case r.MaxMessage < 0 || r.MaxMessage > maxMessageLimit:
		return fmt.Errorf("%w: %s: messages of %d bytes (maximum %d)", ErrConfig, where, r.MaxMessage, int64(maxMessageLimit))
	}
	return nil
}

// geometry checks a configuration that has its defaults.
func (c *Config) geometry() (*geometry, error) {
	if len(c.Lanes) > MaxLanes {
		return nil, fmt.Errorf("%w: %d lanes (maximum %d)", ErrConfig, len(c.Lanes), MaxLanes)
	}
	if c.MessageTimeout < 0 {
		return nil, fmt.Errorf("%w: message timeout %v", ErrConfig, c.MessageTimeout)
	}
	g := &geometry{huge: c.HugePages}
	for i, l := range c.Lanes {
		if err := l.Outbound.check(fmt.Sprintf("lane %d outbound", i)); err != nil {
			return nil, err
		}
		if err := l.Inbound.check(fmt.Sprintf("lane %d inbound", i)); err != nil {
			return nil, err
		}
		g.out = append(g.out, l.Outbound.geometry())
		g.in = append(g.in, l.Inbound.geometry())
	}
	g.outSize, g.inSize = place(g.out, g.huge), place(g.in, g.huge)
	return g, nil
}

func (r RingConfig) geometry() ringGeometry {
	return ringGeometry{slots: r.Slots, data: r.Data, maxMessage: r.MaxMessage}
}

// place lays the rings of one region out and gives the region's size.
func place(rings []ringGeometry, huge bool) int64 {
	at := roundUp(4096, int64(os.Getpagesize()))
	for i := range rings {
		rings[i].slotsOff = at
		at += roundUp(int64(rings[i].slots)*slotSize, line)
	}
	at = roundUp(at, areaAlign)
	for i := range rings {
		rings[i].dataOff = at
		at += rings[i].data
	}
	if huge {
		at = roundUp(at, hugePage)
	}
	return at
}
