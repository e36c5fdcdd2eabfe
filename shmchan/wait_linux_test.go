//go:build linux && (amd64 || arm64)

package shmchan

import (
	"bytes"
	"context"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func init() {
	shared := func(tb testing.TB) (*atomic.Uint64, event) {
		w := sharedWordsOf(tb, 1)[0]
		return w.mine, event{w.theirs, new(atomic.Uint32)}
	}
	settings = append(settings,
		setting{"read-only mapping", sleeperOptions{}, true, shared},
		setting{"read-only mapping, no spin", sleeperOptions{spin: -1}, true, shared},
		setting{"shared waiter", sleeperOptions{spin: -1}, false, shared})
}

// sleeperOf gives one that parks at once.
func sleeperOf(seat bool) *sleeper {
	return setting{opts: sleeperOptions{spin: -1}, seat: seat}.sleeper()
}

// usePool makes the shared waiters sleep or poll for the rest of the test.
func usePool(t *testing.T, polling bool) {
	t.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	was := shared.noWaitv
	shared.noWaitv = polling
	t.Cleanup(func() {
		shared.mu.Lock()
		defer shared.mu.Unlock()
		shared.noWaitv = was
	})
}

func threads(tb testing.TB) int {
	tb.Helper()
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		tb.Fatal(err)
	}
	_, after, _ := bytes.Cut(b, []byte("\nThreads:"))
	n, err := strconv.Atoi(string(bytes.Fields(after)[0]))
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

func cpuTime(tb testing.TB) time.Duration {
	tb.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// A host with a thousand idle channels spends neither threads nor CPU on them,
// and each still hears its peer.
func TestThousandParkedChannels(t *testing.T) {
	const n = 1000
	for _, c := range []struct {
		name    string
		polling bool
		cpu     time.Duration // in a second
	}{
		{"futex_waitv", false, 20 * time.Millisecond},
		{"kernel without futex_waitv", true, 200 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			usePool(t, c.polling)
			before := threads(t)
			words := sharedWordsOf(t, n)
			flags := make([]atomic.Uint32, n)
			woken := make([]chan reason, n)
			var wg sync.WaitGroup
			for i := range words {
				woken[i] = make(chan reason, 1)
				s := newSleeper(sleeperOptions{})
				wg.Go(func() {
					woken[i] <- s.await(context.Background(), event{words[i].theirs, &flags[i]}, 0, 0)
				})
			}
			eventually(t, "all parked", func() bool {
				for i := range flags {
					if flags[i].Load() == 0 {
						return false
					}
				}
				return true
			})
			bound := len(direct.seats) + (n+sharedWords-1)/sharedWords
			if got := threads(t) - before; got > bound+4 { // and some of the runtime's
				t.Errorf("%d threads for %d parked channels, bound %d", got, n, bound)
			}
			busy := cpuTime(t)
			<-time.After(time.Second) // the span that is measured
			busy = cpuTime(t) - busy
			t.Logf("%d threads, %v CPU in a second", threads(t)-before, busy)
			if busy > c.cpu {
				t.Errorf("%v CPU in a second, all parked", busy)
			}
			var delays Histogram
			for i, w := range words {
				start := nanotime()
				post(w.mine, &flags[i], 1)
				if r := <-woken[i]; r != changed {
					t.Fatalf("channel %d: %d", i, r)
				}
				delays.Record(nanotime() - start)
			}
			d := delays.Snapshot()
			t.Logf("woken after p50 %v, p99 %v", time.Duration(d.Quantile(0.5)), time.Duration(d.Quantile(0.99)))
			if p50 := time.Duration(d.Quantile(0.5)); p50 > 20*time.Millisecond {
				t.Errorf("half of the wakes took %v or more", p50)
			}
			wg.Wait()
		})
	}
}

// Ends beyond the seats hand numbers back and forth all at once, so that
// entries come and go in the shared waiters at every moment.
func TestNoWakeIsLostInSharedWaiters(t *testing.T) {
	const pairs, hands = 40, 300
	for _, polling := range []bool{false, true} {
		t.Run("polling="+strconv.FormatBool(polling), func(t *testing.T) {
			usePool(t, polling)
			n := uint64(hands)
			if polling {
				n = 20
			}
			words := sharedWordsOf(t, 2*pairs)
			var flags [2 * pairs]atomic.Uint32
			var wg sync.WaitGroup
			for p := range 2 * pairs {
				s := sleeperOf(p%3 == 0) // some with seats
				wg.Go(func() {
					other := p ^ 1
					for i := range n {
						if p%2 == 0 {
							post(words[p].mine, &flags[other], i+1)
						}
						if r := s.await(context.Background(), event{words[other].theirs, &flags[p]}, i, in(aLongTime)); r != changed {
							t.Errorf("end %d, hand %d: %d, %+v", p, i, r, s.stats())
							return
						}
						if p%2 == 1 {
							post(words[p].mine, &flags[other], i+1)
						}
					}
				})
			}
			wg.Wait()
		})
	}
}

// Who has slept for long gives its seat to who comes, and is woken all the same.
func TestSeatGoesToTheNewcomer(t *testing.T) {
	old := direct
	direct = newDirectSeats(1)
	defer func() { direct = old }()
	words := sharedWordsOf(t, 2)
	var flags [2]atomic.Uint32
	got := make(chan reason, 2)
	first, second := sleeperOf(true), sleeperOf(true)
	go func() {
		got <- first.await(context.Background(), event{words[0].theirs, &flags[0]}, 0, in(aLongTime))
	}()
	sits := func(s *sleeper) func() bool {
		return func() bool {
			direct.mu.Lock()
			defer direct.mu.Unlock()
			return direct.seats[0].s == s
		}
	}
	eventually(t, "first has the seat", sits(first))
	direct.mu.Lock()
	direct.seats[0].since -= int64(longSleep)
	direct.mu.Unlock()
	eventually(t, "first is marked", func() bool { return flags[0].Load() == 1 })
	for !sits(second)() { // the first may not be in the kernel yet, and then keeps its seat
		second.await(context.Background(), event{words[1].theirs, &flags[1]}, 0, in(0))
		go func() {
			got <- second.await(context.Background(), event{words[1].theirs, &flags[1]}, 0, in(aLongTime))
		}()
		eventually(t, "second is parked", func() bool { return flags[1].Load() == 1 })
		if !sits(second)() {
			post(words[1].mine, &flags[1], 1)
			<-got
			words[1].mine.Store(0)
		}
	}
	eventually(t, "first is parked again", func() bool { return flags[0].Load() == 1 && first.stats().Parks == 2 })
	for i := range words {
		post(words[i].mine, &flags[i], 1)
		if r := <-got; r != changed {
			t.Errorf("got %d", r)
		}
	}
	if first.stats().Wakes > 1 {
		t.Errorf("the loss of the seat was charged to the peer: %+v", first.stats())
	}
}

// A bench for the cost of going past the seats.
func BenchmarkWaitSharedWaiter(b *testing.B) {
	words := sharedWordsOf(b, 2)
	var flags [2]atomic.Uint32
	s := [2]*sleeper{sleeperOf(false), sleeperOf(false)}
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range uint64(b.N) {
			s[1].await(context.Background(), event{words[0].theirs, &flags[1]}, i, 0)
			post(words[1].mine, &flags[0], i+1)
		}
	})
	for i := range uint64(b.N) {
		post(words[0].mine, &flags[1], i+1)
		s[0].await(context.Background(), event{words[1].theirs, &flags[0]}, i, 0)
	}
	wg.Wait()
}

// An entry that left while the kernel still had it may swallow the one wake
// that the peer sends, in front of the same end's next wait.
func TestSwallowedWakeIsPassedOn(t *testing.T) {
	w := sharedWordsOf(t, 1)[0]
	p := new(waiterPool)
	waiter := &sharedWaiter{pool: p} // its loop is what this test does by hand
	p.waiters = append(p.waiters, waiter)
	s := sleeperOf(false)
	woken := make(chan struct{})
	go func() {
		defer close(woken)
		if errno := futexWait(w.theirs, 0, aLongTime); errno != 0 {
			t.Errorf("not woken: %v", errno)
		}
	}()
	eventually(t, "the next wait is woken", func() bool {
		p.join(s, w.theirs, 0)
		n, _, _ := waiter.arm(false)
		p.leave(s, w.theirs)
		waiter.sweep(n, 0) // the kernel says that the entry was woken
		select {
		case <-woken:
			return true
		default:
			return false
		}
	})
}

// With one CPU nobody can change the word while we look at it.
func TestNoSpinOnOneCPU(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		t.Fatal(err)
	}
	for i := 0; one.Count() == 0; i++ {
		if all.IsSet(i) {
			one.Set(i)
		}
	}
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.SchedSetaffinity(0, &all) }()
	w := sharedWordsOf(t, 1)[0]
	s := newSleeper(sleeperOptions{})
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // so that only the count of CPUs speaks against spinning
	s.await(ctx, event{w.theirs, new(atomic.Uint32)}, 0, 0)
	if s.adapt.spinning {
		t.Error("spins")
	}
}

// A thread in the kernel must not hold up the garbage collector, and with it
// every goroutine for as long as the peer likes.
func TestCollectionGoesOnWhileParked(t *testing.T) {
	forEachSetting(t, func(t *testing.T, c setting) {
		word, ev := c.make(t)
		s := c.sleeper()
		got := make(chan reason)
		go func() { got <- s.await(context.Background(), ev, 0, 0) }() // with a deadline, signals would help it out
		eventually(t, "parked", func() bool { return ev.parked.Load() == 1 })
		runtime.GC()
		post(word, ev.parked, 1)
		if r := <-got; r != changed {
			t.Errorf("got %d", r)
		}
	})
}
