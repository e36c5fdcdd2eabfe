package sandbox

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// cpuInterval is how often a running call's CPU time is looked at. One look is one
// system call; a call overruns its limit by at most this much. Calls that are
// shorter are never looked at.
const cpuInterval = 20 * time.Millisecond

// cpuWatch stops a call that has used up its CPU time. The clock is the kernel's,
// for the whole process: nothing a guest says can slow it.
type cpuWatch struct {
	process interface {
		CPUTime() (time.Duration, error)
	}
	limit time.Duration
	start time.Duration
	stop  context.CancelCauseFunc

	mu    sync.Mutex
	over  bool
	timer *time.Timer
}

// watchCPU begins to watch a call, until end. A process that is gone has no clock,
// and ends the call by that.
func (s *Sandbox) watchCPU(limit time.Duration, stop context.CancelCauseFunc) *cpuWatch {
	w := &cpuWatch{process: s.process, limit: limit, stop: stop}
	var err error
	if w.start, err = w.process.CPUTime(); err == nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.timer = time.AfterFunc(cpuInterval, w.look)
	}
	return w
}

func (w *cpuWatch) look() {
	now, err := w.process.CPUTime()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over || err != nil {
		return
	}
	if used := now - w.start; used > w.limit {
		w.stop(fmt.Errorf("%w: %s (cpu_time = %s)", ErrCPUTime, used.Round(time.Millisecond), w.limit))
		return
	}
	w.timer.Reset(cpuInterval)
}

func (w *cpuWatch) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	if w.timer != nil {
		w.timer.Stop()
	}
}
