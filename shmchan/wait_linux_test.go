//go:build linux && (amd64 || arm64)

package shmchan

import (
	"bytes"
	"context"
	"os"
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

// A peer that wakes us without end and without news must not keep us busy, nor
// hold us past our deadline, nor cost the channels that share a waiter.
func TestWakeStorm(t *testing.T) {
	for _, noSeat := range []bool{false, true} {
		t.Run("noSeat="+strconv.FormatBool(noSeat), func(t *testing.T) {
			w := sharedWordsOf(t, 1)[0]
			stop, done := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(done)
				for {
					select {
					case <-stop:
						return
					default:
						futexWake(w.mine, futexAll)
					}
				}
			}()
			var flag atomic.Uint32
			s := sleeperOf(!noSeat)
			start := nanotime()
			r := s.await(context.Background(), event{w.theirs, &flag}, 0, start+int64(1500*time.Millisecond))
			took := time.Duration(nanotime() - start)
			close(stop)
			<-done
			st := s.stats()
			t.Logf("%v, %+v", took, st)
			if r != timeout || took > 5*time.Second {
				t.Errorf("ended after %v with %d", took, r)
			}
			if st.Spurious < idleWakes/2 || st.Paused == 0 {
				t.Errorf("no storm was seen: %+v", st)
			}
			// The allowance at the start, its refill, and one per pause.
			if bound := uint64(idleWakes*5/2 + 1500); st.Wakes > bound {
				t.Errorf("%d wakes were heard, bound %d", st.Wakes, bound)
			}
		})
	}
}

// A peer that changes the word and never wakes us costs no more than the
// deadline.
func TestPeerThatNeverWakes(t *testing.T) {
	w := sharedWordsOf(t, 1)[0]
	var flag atomic.Uint32
	s := sleeperOf(true)
	got := make(chan reason)
	start := nanotime()
	go func() {
		got <- s.await(context.Background(), event{w.theirs, &flag}, 0, start+int64(200*time.Millisecond))
	}()
	eventually(t, "parked", func() bool { return flag.Load() == 1 })
	w.mine.Store(1)
	if r := <-got; r != changed && r != timeout {
		t.Errorf("got %d", r)
	}
	if took := time.Duration(nanotime() - start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

// A word whose page went away cannot be waited on. Its end keeps its deadline,
// and the others in the same shared waiter sleep on.
func TestWordThatWentAway(t *testing.T) {
	f := sharedFile(t, 4096)
	gone := word64(mapShared(t, f, 4096, unix.PROT_READ), 0)
	good := sharedWordsOf(t, 1)[0]
	var goodFlag atomic.Uint32
	s, neighbour := sleeperOf(false), sleeperOf(false)
	heard := make(chan reason)
	go func() {
		heard <- neighbour.await(context.Background(), event{good.theirs, &goodFlag}, 0, in(aLongTime))
	}()
	eventually(t, "neighbour parked", func() bool { return goodFlag.Load() == 1 })
	if err := f.Truncate(0); err != nil { // a seal forbids it; here it stands for any way to lose a page
		t.Fatal(err)
	}
	shared.join(s, gone, 0)
	s.rest(aLongTime)
	shared.leave(s, gone)
	if errno := futexWait(gone, 0, 0); errno != unix.EFAULT {
		t.Errorf("direct wait: %v", errno)
	}
	post(good.mine, &goodFlag, 1)
	if r := <-heard; r != changed {
		t.Errorf("neighbour: %d", r)
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
