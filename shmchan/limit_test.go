package shmchan

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestLimiterNeverLetsMoreThroughThanTheRateAndOneBurst(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.Int64Range(1, 1<<30).Draw(t, "rate")
		now, sent := int64(1), int64(0)
		l := newLimiter(Limits{Bytes: rate}, func() int64 { return now })
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			n := rapid.Int64Range(0, rate).Draw(t, "bytes")
			wait := l.admit(n)
			if wait == 0 {
				sent += n
			}
			now += rapid.Int64Range(0, int64(time.Second)/4).Draw(t, "pause")
			if bound := float64(rate) * (1 + float64(now)/1e9); float64(sent) > bound+1 {
				t.Fatalf("%d bytes in %d ns, bound %f", sent, now, bound)
			}
		}
	})
}

func TestLimiterAdmitsWhoComesBackWhenTold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		now := int64(1)
		l := newLimiter(Limits{
			Bytes:    rapid.Int64Range(0, 1<<30).Draw(t, "bytes/s"),
			Messages: rapid.Int64Range(0, 1<<20).Draw(t, "messages/s"),
		}, func() int64 { return now })
		for range 20 {
			n := rapid.Int64Range(0, 1<<31).Draw(t, "bytes")
			if wait := l.admit(n); wait > 0 {
				now += int64(wait) + 1
				if again := l.admit(n); again > wait/1e9+time.Microsecond {
					t.Fatalf("told to come back after %v, and then after %v more", wait, again)
				}
			}
		}
	})
}

func TestLimiter(t *testing.T) {
	now := int64(1)
	clock := func() int64 { return now }
	t.Run("no limits", func(t *testing.T) {
		l := newLimiter(Limits{}, nil)
		for range 1000 {
			if l.admit(math.MaxInt64) != 0 || !l.wake() {
				t.Fatal("refused")
			}
		}
	})
	t.Run("large message goes into debt", func(t *testing.T) {
		l := newLimiter(Limits{Bytes: 100}, clock)
		if w := l.admit(1000); w != 0 {
			t.Fatalf("refused for %v", w)
		}
		if w := l.admit(1); w < 9*time.Second || w > 10*time.Second {
			t.Errorf("the next byte waits %v", w)
		}
	})
	t.Run("messages", func(t *testing.T) {
		l := newLimiter(Limits{Messages: 2}, clock)
		if l.admit(0) != 0 || l.admit(0) != 0 || l.admit(0) != time.Second/2 {
			t.Error("not two at once and one every half second")
		}
	})
	t.Run("wakes", func(t *testing.T) {
		l := newLimiter(Limits{Wakes: 2}, clock)
		if !l.wake() || !l.wake() || l.wake() {
			t.Error("not exactly two at once")
		}
		now += int64(time.Second)
		if !l.wake() {
			t.Error("refused a second later")
		}
	})
	t.Run("clock that steps back", func(t *testing.T) {
		l := newLimiter(Limits{Messages: 1}, clock)
		l.admit(0)
		now -= int64(time.Hour)
		if w := l.admit(0); w <= 0 || w > time.Second {
			t.Errorf("wait of %v", w)
		}
	})
}

func TestLimiterAllocatesNothing(t *testing.T) {
	l := newLimiter(Limits{Bytes: 1, Messages: 1, Wakes: 1}, nil)
	if n := testing.AllocsPerRun(100, func() { l.admit(10); l.wake() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestStormGuard(t *testing.T) {
	t.Run("wakes with news are free", func(t *testing.T) {
		g := newStormGuard()
		for range 100_000 {
			g.wake(true, nil)
			g.wake(false, nil) // one that crossed
			if d := g.pause(); d != 0 {
				t.Fatalf("pause of %v", d)
			}
		}
	})
	t.Run("storm is answered with growing pauses", func(t *testing.T) {
		g := newStormGuard()
		var last time.Duration
		for i := 0; last < lastPause; i++ {
			if i > 10*idleWakes {
				t.Fatal("no pause")
			}
			g.wake(false, nil)
			if d := g.pause(); d > 0 {
				if d < last {
					t.Errorf("pause of %v after one of %v", d, last)
				}
				last = d
			}
		}
	})
	t.Run("the peer's limit counts wakes with news too", func(t *testing.T) {
		g := newStormGuard()
		l := newLimiter(Limits{Wakes: 3}, func() int64 { return 1 })
		for i := range 5 {
			g.wake(true, l)
			if d := g.pause(); (d > 0) != (i >= 3) {
				t.Errorf("wake %d: pause of %v", i, d)
			}
		}
	})
}
