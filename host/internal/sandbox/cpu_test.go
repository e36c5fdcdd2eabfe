package sandbox

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"
)

// fakeClock is a process's CPU clock, of which a look takes one tick.
type fakeClock struct {
	mu   sync.Mutex
	now  time.Duration
	tick time.Duration
	gone bool
}

func (c *fakeClock) read() (time.Duration, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		return 0, errors.New("no such process")
	}
	c.now += c.tick
	return c.now, nil
}

func TestACallIsStoppedWhenItsOwnCPUTimeIsOver(t *testing.T) {
	clock := &fakeClock{now: time.Hour, tick: time.Second}
	rested := make(chan time.Duration, 1)
	w := cpuWatch{clock: clock.read, idle: func(cpu time.Duration) { rested <- cpu }}
	for range 2 { // one timer serves both
		ctx, stop := context.WithCancelCause(t.Context())
		c := w.begin(2500*time.Millisecond, stop)
		<-ctx.Done()
		if err := context.Cause(ctx); !errors.Is(err, ErrCPUTime) || err.Error() != "CPU time used up: 3s (cpu_time = 2.5s)" {
			t.Errorf("%v", err)
		}
		c.end()
	}
	if cpu := <-rested; cpu < time.Hour+8*time.Second {
		t.Errorf("at rest since %s", cpu)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil {
		t.Error("the timer goes on")
	}
}

// What a call that is over has used is not held against the next one, and what ends
// stops nobody.
func TestACallIsNotStoppedForAnother(t *testing.T) {
	clock := &fakeClock{tick: time.Second}
	rested := make(chan time.Duration, 1)
	w := cpuWatch{clock: clock.read, idle: func(cpu time.Duration) { rested <- cpu }}
	ctx, stop := context.WithCancelCause(t.Context())
	defer stop(nil)
	for range 100 {
		c := w.begin(500*time.Millisecond, stop)
		c.end()
		c.end()
	}
	<-rested
	if ctx.Err() != nil {
		t.Error(context.Cause(ctx))
	}
	clock.mu.Lock()
	clock.gone = true
	clock.mu.Unlock()
	w.begin(0, stop).end()
	if ctx.Err() != nil {
		t.Error(context.Cause(ctx))
	}
}
