//go:build linux && (amd64 || arm64)

package shmchan

import (
	"context"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A peer that wakes us without end and without news must not keep us busy, nor
// hold us past our deadline, nor cost the channels that share a waiter.
func TestWakeStorm(t *testing.T) {
	const allowance = 50
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
			s.storm.idle = newBucket(allowance, nanotime()) // a slow machine never gets through the real one
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
			if st.Spurious < allowance || st.Paused == 0 {
				t.Errorf("no storm was seen: %+v", st)
			}
			// The allowance at the start, its refill, and one per pause, with time to spare.
			if bound := uint64(allowance*5/2) + st.Paused; st.Wakes > bound {
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
