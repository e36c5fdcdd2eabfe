package shmchan

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"
)

// limited is a channel whose attacher is over what its limits let through as
// soon as they have let through one second's worth: time stands still until the
// test moves it.
func limited(t *testing.T, l Limits) (a, b *Channel, clock *atomic.Int64) {
	t.Helper()
	clock = new(atomic.Int64)
	clock.Store(1)
	a, b = newPipe(t, smallConfig())
	a.limit = newLimiter(l, clock.Load)
	return a, b, clock
}

// A peer over its rate is slowed: what it sent is held back, comes in order when
// its time has come, and the channel lives on.
func TestPeerOverItsRateIsSlowed(t *testing.T) {
	for _, tt := range []struct {
		name   string
		limits Limits
		size   int
	}{
		{"messages", Limits{Messages: 3}, 1},
		{"bytes", Limits{Bytes: 3000}, 1000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, b, clock := limited(t, tt.limits)
			c := a.Lane(0).Consumer()
			for i := range 5 {
				must(t, b.Lane(0).Producer().Send(context.Background(), Header{Call: uint32(i)}, make([]byte, tt.size)))
			}
			next := func(want uint32) {
				t.Helper()
				h, _, err := c.Recv(expired(), nil)
				if err != nil || h.Call != want {
					t.Fatalf("message %d (want %d): %v", h.Call, want, err)
				}
			}
			for i := range uint32(3) {
				next(i)
			}
			for i := uint32(3); i < 5; i++ {
				for range 3 { // asking again neither helps nor loses anything
					if _, _, err := c.Recv(expired(), nil); !errors.Is(err, context.Canceled) {
						t.Fatalf("let through above the rate: %v", err)
					}
				}
				clock.Add(int64(time.Second)/3 + 1)
				next(i)
			}
			if a.Err() != nil || b.Err() != nil {
				t.Fatalf("the channel ended: %v, %v", a.Err(), b.Err())
			}
		})
	}
}

// What no reader is given counts as well: two aborted messages are four
// descriptors, one more than a second's worth.
func TestAbortsCountAgainstTheRate(t *testing.T) {
	a, b, clock := limited(t, Limits{Messages: 3})
	c, p := a.Lane(0).Consumer(), b.Lane(0).Producer()
	for range 2 {
		w, err := p.Writer(context.Background(), Header{}, 100)
		must(t, err)
		_ = w.Close()
		if _, _, err := c.Recv(within(t, time.Minute), nil); !errors.Is(err, ErrAborted) {
			t.Fatal(err)
		}
	}
	must(t, p.Send(context.Background(), Header{Call: 7}, nil))
	if _, _, err := c.Recv(expired(), nil); !errors.Is(err, context.Canceled) {
		t.Fatalf("aborts were free: %v", err)
	}
	clock.Add(int64(time.Second))
	if h, _, err := c.Recv(expired(), nil); err != nil || h.Call != 7 {
		t.Fatalf("%+v, %v", h, err)
	}
}

// A context that ends while the rate holds a fragment back must not make the
// next Recv begin in the middle of the message.
func TestRateAndFragments(t *testing.T) {
	const fragment = MinData / 4
	for _, tt := range []struct {
		name  string
		bytes int64
		whole bool // nothing had been read, so nothing is lost
	}{
		{"before the first fragment", 1, true},
		{"in the middle", fragment + 1, false},
		{"before the last", 2*fragment + 1, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, b, _ := limited(t, Limits{Bytes: tt.bytes})
			a.limit.admit(1)
			ctx := within(t, 60*time.Second)
			want := pattern(1, 3*fragment)
			sent := make(chan error, 1)
			go func() {
				p := b.Lane(0).Producer()
				sent <- errors.Join(p.Send(ctx, Header{Call: 1}, want), p.Send(ctx, Header{Call: 2}, nil))
			}()
			c := a.Lane(0).Consumer()
			until, cancel := context.WithCancel(ctx)
			first := make(chan error, 1)
			go func() { _, _, err := c.Recv(until, nil); first <- err }()
			for held := false; !held; { // by the rate
				c.mu.Lock()
				held = c.held.c != nil
				c.mu.Unlock()
			}
			cancel()
			if err := <-first; !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			a.limit.mu.Lock()
			a.limit.bytes = newBucket(0, 1) // no limit any more
			a.limit.mu.Unlock()
			for call := uint32(1); call <= 2; call++ {
				if call == 1 && !tt.whole {
					continue
				}
				h, got, err := c.Recv(ctx, nil)
				if err != nil || h.Call != call || call == 1 && string(got) != string(want) {
					t.Fatalf("message %d (want %d) of %d bytes: %v", h.Call, call, len(got), err)
				}
			}
			must(t, <-sent)
		})
	}
}

// A frame that the rate holds back is nobody's when the channel ends, and must
// not keep the memory.
func TestHeldFrameIsLetGo(t *testing.T) {
	a, b, _ := limited(t, Limits{Messages: 1})
	a.limit.admit(0)
	must(t, b.Lane(0).Producer().Send(context.Background(), Header{}, []byte("x")))
	if _, err := a.Lane(0).Consumer().Peek(expired()); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	must(t, a.Close())
	if n := a.pair.refs.Load(); n != 0 {
		t.Fatalf("%d ring ends still hold the memory", n)
	}
}
