package shmchan

import (
	"context"
	"sync/atomic"
	"time"
)

// reason says why await returned.
type reason uint8

const (
	changed   reason = iota // the word is no longer what it was
	timeout                 // the deadline passed
	cancelled               // the context ended
	poked                   // poke was called, now or before
)

// event is what one end of a ring waits for.
type event struct {
	word   *atomic.Uint64 // the peer's counter, usually in a read-only mapping
	parked *atomic.Uint32 // own flag in own memory: 1 asks the peer for a wake
}

// sleeperOptions configures a sleeper.
type sleeperOptions struct {
	spin  time.Duration // 0 = defaultSpin, negative = never; cut to defaultSpin
	limit *limiter      // charges the peer's wakes; nil = no limit
	heap  bool          // the words lie in this process's heap (Pipe), not in a mapping shared with a peer
}

var clockBase = time.Now()

// nanotime is the monotonic clock of deadlines and limits, in ns.
func nanotime() int64 { return int64(time.Since(clockBase)) + 1 }

type sleeper struct {
	opts    sleeperOptions
	stopped atomic.Bool
}

// newSleeper makes the waiter of one ring end.
func newSleeper(o sleeperOptions) *sleeper { return &sleeper{opts: o} }

// await waits until the word is not seen, until the deadline (nanotime; 0 =
// none), the end of the context, or a poke. One goroutine at a time.
func (s *sleeper) await(ctx context.Context, ev event, seen uint64, deadline int64) reason {
	for {
		if s.stopped.Load() {
			return poked
		}
		if ev.word.Load() != seen {
			return changed
		}
		if ctx.Err() != nil {
			return cancelled
		}
		if deadline != 0 && nanotime() >= deadline {
			return timeout
		}
		time.Sleep(10 * time.Microsecond)
	}
}

// poke ends the current and every later await, from any goroutine.
func (s *sleeper) poke() { s.stopped.Store(true) }

// wakeWord wakes whoever waits for this end's own word. The caller has stored
// the word and then seen the peer's parked flag set.
func wakeWord(word *atomic.Uint64) {}

// WaitStats counts how one end of a ring has waited.
type WaitStats struct {
	Spins    uint64 `json:"spins"`    // waits that ended while spinning
	Yields   uint64 `json:"yields"`   // waits that ended while yielding
	Parks    uint64 `json:"parks"`    // times that the end went to sleep
	Wakes    uint64 `json:"wakes"`    // times that something woke it
	Spurious uint64 `json:"spurious"` // wakes that found the word unchanged
	Paused   uint64 `json:"paused"`   // pauses because the peer woke too often
}

// stats may be called by any goroutine.
func (s *sleeper) stats() WaitStats { return WaitStats{} }
