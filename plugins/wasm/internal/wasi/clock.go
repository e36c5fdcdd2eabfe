package wasi

import (
	"context"
	"encoding/binary"
	"time"
)

// Clocks of preview 1. The two that count CPU time are not offered: they would
// count the sandbox's, not the guest's.
const (
	clockRealtime  = 0
	clockMonotonic = 1
)

func (s *System) now(clock uint64) (uint64, bool) {
	switch clock {
	case clockRealtime:
		return uint64(time.Now().UnixNano()), true
	case clockMonotonic:
		// Not zero, which some guests take for "not initialised".
		return uint64(time.Since(s.start)) + 1, true
	}
	return 0, false
}

func (s *System) clockResGet(_ context.Context, g guest, args []uint64) Errno {
	if args[0] > clockMonotonic {
		return eInval
	}
	return g.u64(args[1], 1)
}

func (s *System) clockTimeGet(_ context.Context, g guest, args []uint64) Errno {
	now, known := s.now(args[0])
	if !known {
		return eInval
	}
	return g.u64(args[2], now)
}

// Layout of a subscription and an event.
const (
	subscriptionSize = 48
	eventSize        = 32
	eventClock       = 0
	eventFDRead      = 1
	eventFDWrite     = 2
)

// subscription is one thing that a guest waits for.
type subscription struct {
	userdata uint64
	kind     byte
	errno    Errno
	wait     time.Duration // from now; 0 is ready
	hangup   bool
}

// pollOneoff waits for clocks. Descriptors are always ready, so a wait that
// includes one does not sleep. Sleeping ends with the call.
func (s *System) pollOneoff(ctx context.Context, g guest, args []uint64) Errno {
	in, out, n, count := args[0], args[1], args[2], args[3]
	if n == 0 || n > maxSubscriptions {
		return eInval
	}
	raw, fits := g.memory.Read(in, n*subscriptionSize)
	if !fits || !g.holds(out, n*eventSize) || !g.holds(count, 4) {
		return eFault
	}
	subscriptions := make([]subscription, n)
	shortest := MaxSleep
	for i := range subscriptions {
		subscriptions[i] = s.subscription(raw[i*subscriptionSize:])
		shortest = min(shortest, subscriptions[i].wait)
	}
	if errno := sleep(ctx, shortest); errno != ok {
		return errno
	}
	ready := uint64(0)
	for _, sub := range subscriptions {
		// A wait that was cut at MaxSleep reports its shortest clock early
		// rather than no event at all, which guests do not expect.
		if sub.wait > shortest && (ready > 0 || shortest < MaxSleep) {
			continue
		}
		if errno := g.bytes(out+ready*eventSize, sub.event()); errno != ok {
			return errno
		}
		ready++
	}
	return g.u32(count, uint32(ready))
}

func (s *System) subscription(raw []byte) subscription {
	sub := subscription{userdata: binary.LittleEndian.Uint64(raw), kind: raw[8]}
	switch sub.kind {
	case eventClock:
		const absolute = 1
		clock := uint64(binary.LittleEndian.Uint32(raw[16:]))
		timeout := binary.LittleEndian.Uint64(raw[24:])
		now, known := s.now(clock)
		if !known {
			sub.errno = eInval
			return sub
		}
		if binary.LittleEndian.Uint16(raw[40:])&absolute != 0 {
			timeout -= min(now, timeout)
		}
		// Just over the longest sleep, so that only real ones are ever equal to it.
		sub.wait = time.Duration(min(timeout, uint64(MaxSleep)+1))
	case eventFDRead, eventFDWrite:
		fd := uint64(binary.LittleEndian.Uint32(raw[16:]))
		if !s.isOpen(fd) || (fd == 0) != (sub.kind == eventFDRead) {
			sub.errno = eBadf
		}
		sub.hangup = fd == 0
	default:
		sub.errno = eInval
	}
	return sub
}

func (sub subscription) event() []byte {
	e := binary.LittleEndian.AppendUint64(make([]byte, 0, eventSize), sub.userdata)
	e = binary.LittleEndian.AppendUint16(e, uint16(sub.errno))
	e = append(e, sub.kind)[:eventSize]
	if sub.hangup {
		e[24] = 1
	}
	return e
}

func sleep(ctx context.Context, d time.Duration) Errno {
	if ctx.Err() != nil {
		return eCanceled
	}
	if d <= 0 {
		return ok
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ok
	case <-ctx.Done():
		return eCanceled
	}
}
