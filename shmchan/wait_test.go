package shmchan

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const aLongTime = 30 * time.Second // a test that takes so long has hung

// heapEnd is one side of a ring in this process's heap.
type heapEnd struct {
	word   atomic.Uint64
	parked atomic.Uint32
}

// post does what a ring's end does to publish.
func post(word *atomic.Uint64, parked *atomic.Uint32, v uint64) {
	word.Store(v)
	if parked.Load() != 0 {
		wakeWord(word)
	}
}

func in(d time.Duration) int64 { return nanotime() + int64(d) }

// eventually waits for a condition that another goroutine brings about.
func eventually(tb testing.TB, what string, f func() bool) {
	tb.Helper()
	for until := time.Now().Add(aLongTime); !f(); runtime.Gosched() {
		if time.Now().After(until) {
			tb.Fatalf("never: %s", what)
		}
	}
}

// setting is one way to have words and to wait for them.
type setting struct {
	name string
	opts sleeperOptions
	seat bool                                                // whether it may have a thread of its own
	make func(tb testing.TB) (mine *atomic.Uint64, ev event) // the word to write, what the waiter sees of it
}

// sleeper makes one that parks at once where it does not spin.
func (c setting) sleeper() *sleeper {
	s := newSleeper(c.opts)
	s.noSeat = !c.seat
	if c.opts.spin < 0 {
		s.yields = 0
	}
	return s
}

func heapSetting(name string, spin time.Duration) setting {
	return setting{name, sleeperOptions{heap: true, spin: spin}, true, func(testing.TB) (*atomic.Uint64, event) {
		e := new(heapEnd)
		return &e.word, event{&e.word, &e.parked}
	}}
}

var settings = []setting{heapSetting("heap", 0), heapSetting("heap, no spin", -1)}

func forEachSetting(t *testing.T, f func(t *testing.T, c setting)) {
	for _, c := range settings {
		t.Run(c.name, func(t *testing.T) { f(t, c) })
	}
}

func TestAwaitEndsForEachReason(t *testing.T) {
	forEachSetting(t, func(t *testing.T, c setting) {
		ended, end := context.WithCancel(context.Background())
		end()
		for _, d := range []struct {
			name     string
			before   func(s *sleeper, word *atomic.Uint64)
			ctx      context.Context
			seen     uint64
			deadline int64
			want     reason
		}{
			{name: "changed before", seen: 1, want: changed},
			{name: "changed in the high half only", before: func(_ *sleeper, w *atomic.Uint64) { w.Store(1 << 32) }, want: changed},
			{name: "deadline passed before", deadline: 1, want: timeout},
			{name: "deadline", deadline: in(5 * time.Millisecond), want: timeout},
			{name: "context ended before", ctx: ended, want: cancelled},
			{name: "poked before", before: func(s *sleeper, _ *atomic.Uint64) { s.poke() }, seen: 1, want: poked},
		} {
			t.Run(d.name, func(t *testing.T) {
				word, ev := c.make(t)
				s := c.sleeper()
				if d.before != nil {
					d.before(s, word)
				}
				ctx := d.ctx
				if ctx == nil {
					ctx = context.Background()
				}
				if got := s.await(ctx, ev, d.seen, d.deadline); got != d.want {
					t.Errorf("got %d, want %d", got, d.want)
				}
				if ev.parked.Load() != 0 {
					t.Error("still marked as parked")
				}
			})
		}
	})
}

func TestParkedAwaitEndsForEachReason(t *testing.T) {
	forEachSetting(t, func(t *testing.T, c setting) {
		for _, d := range []struct {
			name string
			act  func(s *sleeper, word *atomic.Uint64, parked *atomic.Uint32, cancel func())
			want reason
		}{
			{"change", func(_ *sleeper, w *atomic.Uint64, p *atomic.Uint32, _ func()) { post(w, p, 7) }, changed},
			{"context", func(_ *sleeper, _ *atomic.Uint64, _ *atomic.Uint32, cancel func()) { cancel() }, cancelled},
			{"poke", func(s *sleeper, _ *atomic.Uint64, _ *atomic.Uint32, _ func()) { s.poke() }, poked},
		} {
			t.Run(d.name, func(t *testing.T) {
				word, ev := c.make(t)
				s := c.sleeper()
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				got := make(chan reason)
				go func() { got <- s.await(ctx, ev, 0, in(aLongTime)) }()
				eventually(t, "parked flag", func() bool { return ev.parked.Load() == 1 })
				d.act(s, word, ev.parked, cancel)
				if r := <-got; r != d.want {
					t.Errorf("got %d, want %d", r, d.want)
				}
				if ev.parked.Load() != 0 || s.target.Load() != nil {
					t.Error("still marked as parked")
				}
				s.poke()
			})
		}
	})
}

// Two ends hand a number back and forth with no deadline: one lost wake stops
// them for good.
func TestNoWakeIsLost(t *testing.T) {
	n := uint64(20_000)
	if testing.Short() {
		n = 2_000
	}
	forEachSetting(t, func(t *testing.T, c setting) {
		wordA, evA := c.make(t)
		wordB, evB := c.make(t)
		var wg sync.WaitGroup
		a, b := c.sleeper(), c.sleeper()
		stuck := time.AfterFunc(aLongTime, func() { a.poke(); b.poke() })
		wg.Go(func() {
			for i := range n {
				if r := b.await(context.Background(), evA, i, 0); r != changed {
					t.Errorf("hand %d lost: %d, %+v", i, r, b.stats())
					return
				}
				post(wordB, evB.parked, i+1)
			}
		})
		for i := range n {
			post(wordA, evA.parked, i+1)
			if r := a.await(context.Background(), evB, i, 0); r != changed {
				t.Errorf("return %d lost: %d, %+v", i, r, a.stats())
				break
			}
		}
		wg.Wait()
		stuck.Stop()
	})
}

// A poke or the end of a context at any moment, above all between the last look
// and the sleep, ends the wait.
func TestNoPokeIsLost(t *testing.T) {
	n := 2_000
	if testing.Short() {
		n = 200
	}
	forEachSetting(t, func(t *testing.T, c setting) {
		_, ev := c.make(t)
		for i := range n {
			s := c.sleeper()
			ctx, cancel := context.WithCancel(context.Background())
			got := make(chan reason)
			go func() { got <- s.await(ctx, ev, 0, in(aLongTime)) }()
			for range i % 64 {
				runtime.Gosched()
			}
			want := poked
			if i%2 == 0 {
				want = cancelled
				cancel()
			} else {
				s.poke()
			}
			if r := <-got; r != want {
				t.Fatalf("round %d: got %d, want %d", i, r, want)
			}
			cancel()
			s.poke()
		}
	})
}

func TestAwaitAllocatesNothing(t *testing.T) {
	forEachSetting(t, func(t *testing.T, c setting) {
		word, ev := c.make(t)
		s := c.sleeper()
		defer s.poke()
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		// Both that the word changes and that the deadline passes while parked.
		seen := uint64(0)
		each := func() {
			word.Store(seen + 1)
			s.await(ctx, ev, seen, in(aLongTime))
			seen++
			s.await(ctx, ev, seen, in(100*time.Microsecond))
		}
		each()
		if n := testing.AllocsPerRun(50, each); n != 0 {
			t.Errorf("%v allocations", n)
		}
	})
}

// oddContext is a context whose type cannot be compared.
type oddContext struct {
	context.Context
	_ []int
}

func TestAwaitTellsContextsApart(t *testing.T) {
	forEachSetting(t, func(t *testing.T, c setting) {
		_, ev := c.make(t)
		s := c.sleeper()
		defer s.poke()
		first, endFirst := context.WithCancel(context.Background())
		second, endSecond := context.WithCancel(context.Background())
		defer endSecond()
		s.await(oddContext{Context: first}, ev, 0, in(time.Millisecond))
		s.await(oddContext{Context: second}, ev, 0, in(time.Millisecond))
		endFirst()
		if r := s.await(oddContext{Context: second}, ev, 0, in(time.Millisecond)); r != timeout {
			t.Errorf("the end of another context ended the wait: %d", r)
		}
		if r := s.await(oddContext{Context: first}, ev, 0, in(aLongTime)); r != cancelled {
			t.Errorf("got %d", r)
		}
	})
}

func TestPokeLetsGoOfTheContext(t *testing.T) {
	_, ev := settings[0].make(t)
	s := settings[0].sleeper()
	ctx, cancel := context.WithCancelCause(context.Background())
	s.await(ctx, ev, 0, in(time.Millisecond))
	w := s.watch
	if w == nil {
		t.Fatal("not watched")
	}
	s.poke()
	cancel(errors.New("later"))
	if s.watch != nil || w.stop() {
		t.Error("the registration is still there")
	}
}

// Between its last look at the flags and its sleep a waiter hears no wake. So a
// kick goes on until the waiter says that it is out.
func TestKickGoesOnUntilItIsHeard(t *testing.T) {
	forEachSetting(t, func(t *testing.T, c setting) {
		_, ev := c.make(t)
		s := c.sleeper()
		s.target.Store(ev.word) // about to sleep
		done := make(chan struct{})
		go func() { s.kick(nil); close(done) }()
		for range 100 { // by now the first wakes have found nobody
			runtime.Gosched()
		}
		start := time.Now()
		for !s.parkOnce(ev, 0, aLongTime) { // a signal may end it too
			if time.Since(start) > aLongTime/2 {
				t.Fatal("slept through")
			}
		}
		select {
		case <-done:
			t.Error("gave up before the waiter was out")
		default:
		}
		s.target.Store(nil)
		<-done
	})
}
