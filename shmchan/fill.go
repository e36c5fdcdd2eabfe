package shmchan

import "time"

// FillEvent says how full one ring is: its data area or its slots, whichever is
// the fuller.
type FillEvent struct {
	Lane     int
	Outbound bool // the ring that this end writes
	// Level is the percentage reached: 80 or 90, or 80 or 0 when fallen back.
	Level int
	// For is how long the ring has been at this level without a break. It is 0
	// in the event that reports a change; at level 90 more events follow, at
	// most one a second and as the ring is used, so that a caller can tell
	// sustained pressure from a burst, and move to larger memory (Prepare).
	For   time.Duration
	Used  int64 // bytes
	Size  int64 // bytes
	Live  int   // frames in flight
	Slots int
}

// fillFall is how many points the fill must fall below a level before the
// level counts as left. A peer that hovers around a level could otherwise
// make each message an alert.
const fillFall = 10

var fillLevels = [...]int{90, 80}

// fillGauge turns the fill of one data area into levels with hysteresis. It
// serves one goroutine at a time. The zero value is an empty area.
type fillGauge struct {
	level int
	since int64 // when the level was reached
	told  int64 // when that was last told
}

// fillReminder is the time between two events of a ring that stays at 90.
const fillReminder = int64(time.Second)

// observe takes what is in use of size at the moment now and reports the level
// (0, 80 or 90) and whether to tell: it differs from the last one, or a reminder
// is due.
func (g *fillGauge) observe(used, size, now int64) (level int, tell bool) {
	level = g.levelOf(used, size)
	if level != g.level {
		g.level, g.since, g.told = level, now, now
		return level, true
	}
	if level == 90 && now-g.told >= fillReminder {
		g.told = now
		return level, true
	}
	return level, false
}

func (g *fillGauge) levelOf(used, size int64) int {
	if size <= 0 || used <= 0 {
		return 0
	}
	for _, l := range fillLevels {
		edge := l
		if g.level >= l {
			edge = l - fillFall
		}
		// Integers: a float quotient could flap at the very edge. Areas are at
		// most 1 GiB, so that this cannot overflow.
		if reached := used*100 >= size*int64(edge); reached && edge == l || used*100 > size*int64(edge) {
			return l
		}
	}
	return 0
}

// gauge fills in an event from what is in use, and reports whether to tell.
func (g *fillGauge) gauge(e *FillEvent, now int64) (tell bool) {
	used, size := e.Used, e.Size
	if int64(e.Live)*size > used*int64(e.Slots) { // at most 2^46
		used, size = int64(e.Live), int64(e.Slots)
	}
	e.Level, tell = g.observe(used, size, now)
	e.For = time.Duration(max(now-g.since, 0))
	return tell
}

// fillWatch is the percentage from which on the fill is worth a closer look.
const fillWatch = 70

// filling reports whether the ring may be near a level, or has to come down from
// one. The fill is known only as of the last look at the peer's tail, and never
// less than it is.
//
// Preconditions of this and all below: mu is held.
func (p *Producer) filling() bool {
	r := p.ring
	return p.ch.config.OnFill != nil && (p.fill.level != 0 ||
		r.live.used(uint64(len(r.data)))*100 >= uint64(len(r.data))*fillWatch ||
		r.last-r.first >= uint64(len(r.entries))*fillWatch/100)
}

// leaveFilling looks closer, unlocks mu, and tells OnFill.
func (p *Producer) leaveFilling() error {
	r := p.ring
	if err := r.look(); err != nil {
		return p.leave(p.failed(err))
	}
	size := uint64(len(r.data))
	e := FillEvent{Lane: p.lane, Outbound: true, Used: int64(r.live.used(size)), Size: int64(size), Live: int(r.last - r.first), Slots: len(r.entries)}
	tell := p.fill.gauge(&e, nanotime())
	err := p.leave(nil)
	if tell {
		p.ch.config.OnFill(e)
	}
	return err
}

// filled is what OnFill is to be told of the ring that the peer writes, if
// anything.
func (c *Consumer) filled() (e FillEvent, tell bool) {
	if c.ch.config.OnFill == nil || c.ring.dropped {
		return e, false
	}
	used, live := c.ring.fill()
	e = FillEvent{Lane: c.lane, Used: int64(used), Size: int64(len(c.ring.data)), Live: int(live), Slots: len(c.ring.slots)}
	return e, c.fill.gauge(&e, nanotime())
}

// fill estimates how many bytes and slots lie between the oldest frame that is
// not released and the newest published. For that it reads values that have
// not had their turn to be checked; they give a number here and nothing else.
// A peer that lies raises or hides an alert about its own ring, no more.
func (r *inRing) fill() (used, live uint64) {
	size := uint64(len(r.data))
	used = r.live.used(size)
	head := counted(r.peerHead.Load())
	if head <= r.next || head > r.tail+uint64(len(r.slots)) {
		return used, r.next - r.tail
	}
	live = head - r.tail
	newest, ok := r.glimpse(head)
	if !ok {
		return used, live
	}
	oldest := r.live.lo
	if r.live.live == 0 {
		f, ok := r.glimpse(r.next + 1)
		if !ok {
			return used, live
		}
		oldest = f.offset
	}
	end := align(newest.offset + newest.length)
	if end > oldest {
		return end - oldest, live
	}
	return size - oldest + end, live
}

// glimpse reads a descriptor before its turn; ok if it has bytes within the area.
func (r *inRing) glimpse(seq uint64) (f frame, ok bool) {
	err := r.slots[(seq-1)&uint64(len(r.slots)-1)].decode(seq, r.geo, &f)
	return f, err == nil && f.data()
}
