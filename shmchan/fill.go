package shmchan

import "time"

// FillEvent says that the fill level of one ring's data area changed.
type FillEvent struct {
	Lane     int
	Outbound bool  // the ring that this end writes
	Level    int   // percent: 80 or 90 when reached, lower when fallen back; 0 = below both
	Used     int64 // bytes
	Size     int64 // bytes
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
	since int64 // when level 90 was reached; meaningful only at 90
}

// observe takes the bytes in use of size at the moment now and reports the
// level (0, 80 or 90) and whether it differs from the last one.
func (g *fillGauge) observe(used, size, now int64) (level int, changed bool) {
	level = g.levelOf(used, size)
	if level == g.level {
		return level, false
	}
	if level == 90 {
		g.since = now
	}
	g.level = level
	return level, true
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

// sustained is for how long the area has been at level 90 without a break; 0
// when it is not. A channel that stays there is moved to larger memory.
func (g *fillGauge) sustained(now int64) time.Duration {
	if g.level < 90 {
		return 0
	}
	return time.Duration(max(now-g.since, 0))
}
