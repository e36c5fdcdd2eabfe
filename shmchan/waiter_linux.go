//go:build amd64 || arm64

package shmchan

import (
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// waiterPool is where ends are parked that have no thread of their own. A
// shared waiter, one goroutine and so one thread, sleeps on the words of up to
// 127 of them with futex_waitv, and signals the goroutine whose word is woken.
// It costs a thread switch and about 20 µs more than a seat of one's own.
//
// Threads for n parked ends are thus at most the direct seats plus n/127,
// rounded up, when they were parked in one go; fragmented use can leave waiters
// partly filled, never more of them than a past peak of n needed.
//
// Where the kernel has no futex_waitv (before 5.16) or a filter forbids it, the
// shared waiters look at their words every 1 to 8 ms instead, the slower the
// longer nothing has changed. The thread bound holds there too; only wake-ups
// are late.
type waiterPool struct {
	mu      sync.Mutex
	waiters []*sharedWaiter
	serial  uint64
	noWaitv bool // found missing, or set by a test
}

var shared waiterPool

// poolSlot is where a sleeper waits without a thread; its own goroutine uses it.
type poolSlot struct {
	benched bool // it lost its seat during this wait
	seat    int
	waiter  *sharedWaiter
	slot    int
}

const (
	sharedWords = maxWaitv - 1 // one is the waiter's own
	linger      = 20 * time.Millisecond
	firstPoll   = time.Millisecond
	lastPoll    = 8 * time.Millisecond
	calmPolls   = 32 // polls without news before the next slower pace
)

// parkedEnd is one end that waits. The serial tells it from a later one in the
// same slot.
type parkedEnd struct {
	s      *sleeper
	word   *atomic.Uint64
	seen   uint32
	slot   int
	serial uint64
}

// sharedWaiter's entries are guarded by the pool's lock. armed is what the
// kernel was last given, the waiter's own.
type sharedWaiter struct {
	pool    *waiterPool
	control atomic.Uint32 // changes whenever the entries do
	entries [sharedWords]parkedEnd
	n       int
	asleep  bool // it sleeps on what it was given, or is about to

	armed [sharedWords]parkedEnd
	on    [maxWaitv]waitv
	wake  chan struct{} // control's stand-in while polling
}

func (p *waiterPool) join(s *sleeper, word *atomic.Uint64, seen uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := p.withRoom()
	i := 0
	for w.entries[i].s != nil {
		i++
	}
	p.serial++
	w.entries[i] = parkedEnd{s, word, seen, i, p.serial}
	w.n++
	s.pool.waiter, s.pool.slot = w, i
	w.rearm()
}

func (p *waiterPool) withRoom() *sharedWaiter {
	for _, w := range p.waiters {
		if w.n < sharedWords {
			return w
		}
	}
	w := &sharedWaiter{pool: p, wake: make(chan struct{}, 1)}
	p.waiters = append(p.waiters, w)
	go w.run()
	return w
}

// leave takes the sleeper out. The word may be unmapped afterwards: the waiter
// looks at words of present entries only, under the lock.
func (p *waiterPool) leave(s *sleeper, word *atomic.Uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := s.pool.waiter
	if w.entries[s.pool.slot].s == s {
		w.drop(s.pool.slot)
		w.rearm()
	}
}

func (w *sharedWaiter) drop(i int) {
	w.entries[i] = parkedEnd{}
	w.n--
}

// rearm makes the waiter take up its entries anew.
func (w *sharedWaiter) rearm() {
	if !w.asleep {
		return // it takes them up by itself
	}
	w.control.Add(1)
	futexWakePrivate(&w.control)
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *sharedWaiter) run() {
	var idle bool
	pace := pollPace{every: firstPoll}
	for {
		n, polling, gone := w.arm(idle)
		if gone {
			return
		}
		limit := time.Duration(-1)
		if idle = n == 1; idle {
			limit = linger
		}
		if polling {
			pace.wait(w.wake, limit)
			pace.saw(w.sweep(n, -1) > 0)
			continue
		}
		i, errno := futexWaitv(w.on[:n], limit)
		woken := -1
		switch errno {
		case 0:
			woken = i - 1 // 0 is the control word
		case syscall.EAGAIN, syscall.ETIMEDOUT, syscall.EINTR:
		case syscall.EFAULT:
			w.findBad(n)
		default:
			w.pool.mu.Lock()
			w.pool.noWaitv = true
			w.pool.mu.Unlock()
		}
		w.sweep(n, woken)
	}
}

// arm copies the entries into what the kernel is given and reports the number
// of words, control word included. A waiter that was idle for a while and has
// nothing to do still is gone.
func (w *sharedWaiter) arm(wasIdle bool) (n int, polling, gone bool) {
	p := w.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if wasIdle && w.n == 0 {
		for i := range p.waiters {
			if p.waiters[i] == w {
				p.waiters = append(p.waiters[:i], p.waiters[i+1:]...)
				break
			}
		}
		return 0, false, true
	}
	w.on[0] = waitOnPrivate(&w.control, w.control.Load())
	n = 1
	for i := range w.entries {
		if e := w.entries[i]; e.s != nil {
			w.armed[n-1] = e
			w.on[n] = waitOnWord(e.word, e.seen)
			n++
		}
	}
	w.asleep = true
	return n, p.noWaitv, false
}

// sweep signals the ends whose words have changed, and the one that the kernel
// named (woken, an index of armed), and counts them.
//
// An armed entry that has left meanwhile still stood in the kernel's queue and
// may have swallowed the peer's only wake, in front of the same end's next
// wait. So its word is woken once more: at worst that is one look for nothing.
func (w *sharedWaiter) sweep(n, woken int) int {
	signalled := 0
	w.pool.mu.Lock()
	defer w.pool.mu.Unlock()
	w.asleep = false
	for i, e := range w.armed[:n-1] {
		w.armed[i] = parkedEnd{}
		switch {
		case !w.present(e):
			futexWake(e.word, 1)
		case i == woken || uint32(e.word.Load()) != e.seen:
			w.drop(e.slot)
			e.s.signal()
			signalled++
		}
	}
	return signalled
}

func (w *sharedWaiter) present(e parkedEnd) bool { return w.entries[e.slot].serial == e.serial }

// findBad signals the ends whose words the kernel cannot wait on. One channel
// whose memory went away must not keep 126 others from sleeping; its own end
// looks for itself, and no more often than the storm guard lets it.
func (w *sharedWaiter) findBad(n int) {
	w.pool.mu.Lock()
	defer w.pool.mu.Unlock()
	for _, e := range w.armed[:n-1] {
		if w.present(e) && futexWait(e.word, e.seen, 0) == syscall.EFAULT {
			w.drop(e.slot)
			e.s.signal()
		}
	}
}

// pollPace is how often a waiter looks at its words when it cannot sleep on
// them.
type pollPace struct {
	every time.Duration
	calm  int
	timer *time.Timer
}

func (p *pollPace) wait(wake <-chan struct{}, limit time.Duration) {
	d := p.every
	if limit >= 0 {
		d = limit
	}
	if p.timer == nil {
		p.timer = time.NewTimer(d)
	} else {
		p.timer.Reset(d)
	}
	select {
	case <-wake:
		p.timer.Stop()
	case <-p.timer.C:
	}
}

func (p *pollPace) saw(news bool) {
	if news {
		p.every, p.calm = firstPoll, 0
		return
	}
	if p.calm++; p.calm >= calmPolls {
		p.every, p.calm = min(2*p.every, lastPoll), 0
	}
}
