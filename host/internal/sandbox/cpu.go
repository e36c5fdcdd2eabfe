package sandbox

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// cpuInterval is how often a running call's CPU time is looked at. One look is one
// system call; a call overruns its limit by at most this much. Calls that are
// shorter are hardly ever looked at.
const cpuInterval = 20 * time.Millisecond

// cpuWatch stops a call that has used up its CPU time. The clock is the kernel's,
// for the whole process: nothing a guest says can slow it.
//
// One timer runs from call to call, and for a moment after the last: a timer for each
// would wake a thread with each, which takes a processor from the sandbox.
type cpuWatch struct {
	clock func() (time.Duration, error)
	// idle is told the clock when no call has come for an interval.
	idle func(cpu time.Duration)

	mu    sync.Mutex
	timer *time.Timer // nil: not running
	call  *cpuCall    // the running one
	begun uint64      // calls
	seen  uint64      // calls that had begun at the last look
}

// cpuCall is a call that is watched.
type cpuCall struct {
	watch *cpuWatch
	limit time.Duration
	start time.Duration
	stop  context.CancelCauseFunc
}

// begin begins to watch a call, until end. A process that is gone has no clock,
// and ends the call by that.
func (w *cpuWatch) begin(limit time.Duration, stop context.CancelCauseFunc) *cpuCall {
	c := &cpuCall{watch: w, limit: limit, stop: stop}
	var err error
	if c.start, err = w.clock(); err != nil {
		return c
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.call = c
	w.begun++
	if w.timer == nil {
		w.timer = time.AfterFunc(cpuInterval, w.look)
	}
	return c
}

func (c *cpuCall) end() {
	c.watch.mu.Lock()
	defer c.watch.mu.Unlock()
	if c.watch.call == c {
		c.watch.call = nil
	}
}

func (w *cpuWatch) look() {
	now, err := w.clock()
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.call
	switch {
	case err != nil:
		w.timer = nil
		return
	case c == nil && w.begun == w.seen:
		w.timer = nil
		w.idle(now)
		return
	case c != nil && now-c.start > c.limit:
		c.stop(fmt.Errorf("%w: %s (cpu_time = %s)", ErrCPUTime, (now - c.start).Round(time.Millisecond), c.limit))
		w.call = nil
	}
	w.seen = w.begun
	w.timer.Reset(cpuInterval)
}
