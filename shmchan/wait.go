package shmchan

import (
	"context"
	"runtime"
	"sync"
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
	heap  bool          // the words lie in this process's heap (Pipe), not in memory shared with a peer
}

const (
	firstLooks  = 256 // looks at the word before the clock is read for the first time
	looks       = 64  // looks between two readings of the clock
	yieldEvery  = 8   // readings of the clock between two yields while spinning
	parkYields  = 2   // yields before parking
	lateWait    = int64(time.Second)
	recountCPUs = 250 * time.Millisecond
)

var clockBase = time.Now()

// nanotime is the monotonic clock of deadlines and limits, in ns. It is never 0.
func nanotime() int64 { return int64(time.Since(clockBase)) + 1 }

// sleeper waits for one end of a ring: spinning while that pays, then,
// with a peer in this process, yielding, then parked in the kernel. It serves one goroutine at a time;
// poke and stats may come from any.
//
// # Why no wake is lost
//
// Who parks sets its parked flag and then looks at the word once more; who
// publishes stores the word and then looks at the flag. Go's atomics are
// sequentially consistent, so at least one of the two sees the other's store:
// either the waiter does not sleep or the peer wakes it. The kernel compares
// the word again under its own lock before it puts the thread to sleep, which
// covers the time from the last look to there.
//
// # What a hostile peer can do
//
// One that never wakes us costs us the deadline. One that wakes us without
// changing the word is charged for each wake, to its limit and to an allowance
// of our own; past either, this end stops listening for wakes for 1 to 8 ms at
// a time, which bounds what a storm costs at some hundred wakes a second.
type sleeper struct {
	opts   sleeperOptions
	adapt  adapt
	yields int    // before parking; tests park at once
	noSeat bool   // never takes a thread of its own; for tests
	quick  uint32 // waits ended by the first looks, not yet told to adapt
	cpus   cpuCount
	storm  stormGuard

	note  chan struct{} // wakes the goroutine when it waits without a thread
	timer *time.Timer
	pool  poolSlot // where it waits without a thread
	bell  bell     // wakes it when it waits with one

	stopped  atomic.Bool
	target   atomic.Pointer[atomic.Uint64] // the word while parked or about to be; nil = awake
	watching atomic.Pointer[watch]         // what watches the context of the present wait

	mu    sync.Mutex
	watch *watch // kept for the next wait with the same context

	counts waitCounts
}

// newSleeper makes the waiter of one ring end.
func newSleeper(o sleeperOptions) *sleeper {
	if o.spin == 0 {
		o.spin = defaultSpin
	}
	s := &sleeper{opts: o, adapt: newAdapt(int64(o.spin)), note: make(chan struct{}, 1), storm: newStormGuard()}
	if o.heap {
		s.yields = parkYields
	}
	return s
}

// await waits until the word is not seen, until the deadline (nanotime; 0 =
// none), the end of the context, or a poke. One goroutine at a time.
//
// Preconditions: seen was loaded from ev.word; both words stay mapped until
// await has returned.
func (s *sleeper) await(ctx context.Context, ev event, seen uint64, deadline int64) reason {
	if s.stopped.Load() {
		return poked
	}
	if s.adapt.spinning {
		// An answer that is under way comes within these looks: no clock, no
		// context, nothing shared but the word.
		for range firstLooks {
			if ev.word.Load() != seen {
				s.quick++
				return changed
			}
		}
	} else if ev.word.Load() != seen {
		return changed
	}
	return s.awaitLonger(ctx, ev, seen, deadline)
}

func (s *sleeper) awaitLonger(ctx context.Context, ev event, seen uint64, deadline int64) reason {
	start := nanotime()
	s.counts.spins.add(uint64(s.quick))
	s.adapt.quick(s.quick)
	s.quick = 0
	if s.cpus.count(start, s.opts.heap) < 2 {
		s.adapt.lone()
	}
	why, ended := s.look(ctx, ev, seen, deadline, start)
	if !ended {
		why = s.park(ctx, ev, seen, deadline)
	}
	switch why {
	case changed:
		s.adapt.waited(nanotime() - start)
	case timeout: // nothing came: as good a reason not to spin as a late answer
		s.adapt.waited(lateWait)
	}
	return why
}

// look spins for the budget if spinning pays, and then yields to a peer in this
// process: the CPU may be what it is waiting for.
//
// A peer in another process gains nothing by that. runtime.Gosched takes the
// goroutine off its thread and wakes another one to run it, on the CPU that the peer
// needs: a third of what a sandbox computed between two calls, and three futex calls
// for each. And sched_yield gives the CPU away for a whole slice where a neighbour
// wants it: a round trip of 64 bytes then took 2 ms in place of 1 µs.
func (s *sleeper) look(ctx context.Context, ev event, seen uint64, deadline, start int64) (reason, bool) {
	if ctx.Err() != nil {
		return cancelled, true
	}
	if deadline != 0 && start >= deadline {
		return timeout, true
	}
	if s.adapt.spinning {
		end := start + s.adapt.budget
		for i := 1; ; i++ {
			for range looks {
				if ev.word.Load() != seen {
					s.counts.spins.add(1)
					return changed, true
				}
			}
			if s.stopped.Load() {
				return poked, true
			}
			if nanotime() >= end {
				break
			}
			if i%yieldEvery == 0 && s.opts.heap {
				runtime.Gosched() // other goroutines want this CPU too
			}
		}
	}
	for range s.yields {
		runtime.Gosched()
		if ev.word.Load() != seen {
			s.counts.yields.add(1)
			return changed, true
		}
	}
	return 0, false
}

// park sleeps until something happens, as often as it takes.
func (s *sleeper) park(ctx context.Context, ev event, seen uint64, deadline int64) reason {
	w := s.watchFor(ctx)
	s.watching.Store(w)
	s.pool.benched = false
	s.target.Store(ev.word) // from here on kick finds us
	defer s.target.Store(nil)
	for {
		switch {
		case s.stopped.Load():
			return poked
		case ev.word.Load() != seen:
			return changed
		case w != nil && w.fired.Load():
			return cancelled
		}
		left := time.Duration(-1)
		if deadline != 0 {
			if left = time.Duration(deadline - nanotime()); left <= 0 {
				return timeout
			}
		}
		if pause := s.storm.pause(); pause > 0 {
			s.counts.paused.add(1)
			if left >= 0 {
				pause = min(pause, left)
			}
			s.drain()
			s.rest(pause)
			continue
		}
		s.counts.parks.add(1)
		if s.parkOnce(ev, seen, left) {
			s.woken(ev.word.Load() != seen, w)
		}
	}
}

// woken counts one wake and charges the peer for it, unless it was our own
// doing.
func (s *sleeper) woken(news bool, w *watch) {
	if s.stopped.Load() || w != nil && w.fired.Load() {
		return
	}
	s.counts.wakes.add(1)
	if !news {
		s.counts.spurious.add(1)
	}
	s.storm.wake(news, s.opts.limit)
}

// signal ends a wait on the note. One token is enough: the waiter looks at
// everything when it has it.
func (s *sleeper) signal() {
	select {
	case s.note <- struct{}{}:
	default:
	}
}

// drain takes a token that was left from before. A kick repeats itself until it
// is heard, so none of its tokens is lost by this.
func (s *sleeper) drain() {
	select {
	case <-s.note:
	default:
	}
}

// bench is where a goroutine waits without a thread of its own: who sits there
// is signalled when its word changes or is woken.
type bench interface {
	join(s *sleeper, word *atomic.Uint64, seen uint32)
	leave(s *sleeper, word *atomic.Uint64)
}

// parkOn waits on a bench, at most d (negative = without end), and reports
// whether it was signalled.
func (s *sleeper) parkOn(b bench, ev event, seen uint64, d time.Duration) bool {
	s.drain()
	b.join(s, ev.word, uint32(seen))
	defer b.leave(s, ev.word)
	ev.parked.Store(1)
	defer ev.parked.Store(0)
	if ev.word.Load() != seen || s.stopped.Load() {
		return false
	}
	return s.rest(d)
}

// rest waits for a signal, at most d (negative = without end).
func (s *sleeper) rest(d time.Duration) bool {
	if d < 0 {
		<-s.note
		return true
	}
	if s.timer == nil {
		s.timer = time.NewTimer(d)
	} else {
		s.timer.Reset(d)
	}
	select {
	case <-s.note:
		s.timer.Stop()
		return true
	case <-s.timer.C:
		return false
	}
}
