package shmchan

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"
)

// poke ends the present and every later await, from any goroutine, and lets go
// of the context that the sleeper watched. When it returns, no await is parked
// any more; one that still spins sees the stop within its next looks.
func (s *sleeper) poke() {
	s.stopped.Store(true)
	s.mu.Lock()
	w := s.watch
	s.watch = nil
	s.mu.Unlock()
	if w != nil {
		w.stop()
	}
	s.kick(nil)
}

// kick wakes the sleeper until it is out. Once is not enough: between its last
// look at the flags and its sleep in the kernel there is a moment in which a
// wake finds nobody. With a watch given, kick is for waits under that watch
// only.
func (s *sleeper) kick(w *watch) {
	pause := 10 * time.Microsecond
	for i := 0; ; i++ {
		word := s.target.Load()
		if word == nil || w != nil && s.watching.Load() != w {
			return
		}
		s.signal()
		s.ring(word)
		if i < 4 {
			runtime.Gosched()
			continue
		}
		time.Sleep(pause) // the waiter needs the CPU more than we do
		pause = min(2*pause, time.Millisecond)
	}
}

// watch carries the end of a context to a parked sleeper.
type watch struct {
	s     *sleeper
	done  <-chan struct{}
	fired atomic.Bool
	stop  func() bool
}

// watchFor gives the watch for ctx, nil if it cannot end. The last one is kept:
// a loop that receives under one context registers once and allocates nothing
// afterwards. Contexts are told apart by their Done channel, since comparing
// the interfaces may panic.
func (s *sleeper) watchFor(ctx context.Context) *watch {
	done := ctx.Done()
	if done == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watch != nil && s.watch.done == done {
		return s.watch
	}
	if s.watch != nil {
		s.watch.stop()
		s.watch = nil
	}
	w := &watch{s: s, done: done}
	w.stop = context.AfterFunc(ctx, w.fire)
	if s.stopped.Load() {
		w.stop() // poke has looked already
		return w
	}
	s.watch = w
	return w
}

// forget stops watching the context of the last wait.
func (s *sleeper) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watch != nil {
		s.watch.stop()
		s.watch = nil
	}
}

func (w *watch) fire() {
	w.fired.Store(true)
	w.s.kick(w)
}
