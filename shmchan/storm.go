package shmchan

import "time"

// Of its own accord this end hears so many wakes a second that come with no
// news. An honest peer sends one now and then, when its wake crosses our own
// look; so every wake with news earns one more.
const (
	idleWakes  = 500
	firstPause = time.Millisecond
	lastPause  = 8 * time.Millisecond
)

// stormGuard bounds what a peer's wakes can cost. It serves one goroutine.
type stormGuard struct {
	idle  bucket
	over  bool
	next  time.Duration
	calms int64 // when to start again with the first pause
}

func newStormGuard() stormGuard {
	return stormGuard{idle: newBucket(idleWakes, nanotime()), next: firstPause}
}

// wake charges one wake; news says that the word had changed.
func (g *stormGuard) wake(news bool, limit *limiter) {
	if news {
		g.idle.level = min(g.idle.level+1, g.idle.rate)
	} else {
		g.idle.refill(nanotime())
		g.idle.take(1)
		g.over = g.over || g.idle.level < 0
		g.idle.level = max(g.idle.level, 0)
	}
	if limit != nil && !limit.wake() {
		g.over = true
	}
}

// pause gives the time for which the peer's wakes are to be left unheard before
// the next sleep, 0 if the peer keeps to its limits. While a storm goes on the
// pauses grow, and with them what is spent on it shrinks.
func (g *stormGuard) pause() time.Duration {
	if !g.over {
		return 0
	}
	g.over = false
	now := nanotime()
	if now > g.calms {
		g.next = firstPause
	}
	d := g.next
	g.next = min(2*g.next, lastPause)
	g.calms = now + int64(time.Second)
	return d
}
