//go:build amd64 || arm64

package shmchan

import (
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// wakeWord wakes whoever waits for this end's own word. The caller has stored
// the word and then seen the peer's parked flag set.
//
// It wakes one: the peer's end has one waiter on it, and a peer that puts a
// thousand threads to sleep on our word is not to make our sends any slower.
func wakeWord(word *atomic.Uint64) {
	if !lot.wake(word) {
		futexWake(word, 1)
	}
}

// wakeAll is for waking our own waiter on the peer's word, among others that
// the peer may have put there in front of it.
func wakeAll(word *atomic.Uint64) { futexWake(word, futexAll) }

// parkOnce sleeps until a wake, at most d (negative = without end), and reports
// whether it was woken.
func (s *sleeper) parkOnce(ev event, seen uint64, d time.Duration) bool {
	if s.opts.heap {
		return s.parkOn(&lot, ev, seen, d)
	}
	if s.noSeat || s.pool.benched || !direct.enter(s, ev.word) {
		return s.parkOn(&shared, ev, seen, d)
	}
	woken := s.parkDirect(ev, seen, d)
	if !direct.leave(s) {
		s.pool.benched = true
		return false
	}
	return woken
}

func (s *sleeper) parkDirect(ev event, seen uint64, d time.Duration) bool {
	ev.parked.Store(1)
	defer ev.parked.Store(0)
	if ev.word.Load() != seen || s.stopped.Load() {
		return false
	}
	switch errno := futexWait(ev.word, uint32(seen), d); errno {
	case 0:
		return true
	case syscall.EAGAIN, syscall.ETIMEDOUT, syscall.EINTR:
		return false
	}
	// The word cannot be waited on, so nobody can wake us. What is left is to
	// look now and then until the deadline.
	if d < 0 || d > lastPause {
		d = lastPause
	}
	s.drain()
	s.rest(d)
	return false
}

// directSeats holds the ends that are parked with a thread of their own, which
// is the fastest way to be woken. Go starts a thread for every goroutine that
// blocks in the kernel, up to 10 000 and then it kills the process; so a host
// with a thousand idle channels must not spend one on each. There are four
// seats for each of GOMAXPROCS at the start of the program, and at least
// minSeats. Who finds none free takes the seat of the end that has been asleep
// for longest, if that is longSleep or more, and otherwise goes to a shared
// waiter, as does the one that lost its seat.
type directSeats struct {
	mu    sync.Mutex
	seats []seat
	free  []int
}

type seat struct {
	s     *sleeper
	word  *atomic.Uint64
	since int64
}

const (
	minSeats  = 8
	longSleep = 50 * time.Millisecond
)

var direct = newDirectSeats(max(4*runtime.GOMAXPROCS(0), minSeats))

func newDirectSeats(n int) *directSeats {
	d := &directSeats{seats: make([]seat, n), free: make([]int, n)}
	for i := range d.free {
		d.free[i] = n - 1 - i
	}
	return d
}

// enter reports whether the sleeper has a seat now.
func (d *directSeats) enter(s *sleeper, word *atomic.Uint64) bool {
	now := nanotime()
	d.mu.Lock()
	defer d.mu.Unlock()
	i := -1
	if n := len(d.free); n > 0 {
		i = d.free[n-1]
		d.free = d.free[:n-1]
	} else if i = d.evict(now); i < 0 {
		return false
	}
	d.seats[i] = seat{s, word, now}
	s.pool.seat = i
	return true
}

// evict wakes the end that has slept for longest and gives its seat, or -1.
func (d *directSeats) evict(now int64) int {
	oldest := 0
	for i := range d.seats {
		if d.seats[i].since < d.seats[oldest].since {
			oldest = i
		}
	}
	if now-d.seats[oldest].since < int64(longSleep) || futexWake(d.seats[oldest].word, futexAll) == 0 {
		return -1
	}
	return oldest
}

// leave gives the seat back. It reports false if somebody else has it already.
func (d *directSeats) leave(s *sleeper) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := s.pool.seat
	if d.seats[i].s != s {
		return false
	}
	d.seats[i] = seat{}
	d.free = append(d.free, i)
	return true
}
