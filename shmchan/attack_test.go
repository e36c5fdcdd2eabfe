package shmchan

import (
	"context"
	"errors"
	"testing"
	"time"
)

// A peer that begins messages and gives them up makes us work as one that sends
// them does, and is held to the same rate.
func TestAbortsAreCharged(t *testing.T) {
	config := smallConfig()
	config.Limits.Messages = 10
	a, b := newPipe(t, config)
	p, c := b.Lane(0).Producer(), a.Lane(0).Consumer()
	a.limit.messages.rate = 1e-3 // what is spent does not come back
	for range 100 {
		w, err := p.Writer(within(t, 5*time.Second), Header{}, 10)
		must(t, err)
		_ = w.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
		_, _, err = c.Recv(ctx, nil)
		cancel()
		if errors.Is(err, ErrTimeout) {
			return
		}
		if !errors.Is(err, ErrAborted) {
			t.Fatalf("got %v", err)
		}
	}
	t.Fatal("100 messages were taken at a limit of 10")
}

// The same for the fragments of a message in which we have lost interest.
func TestDiscardedFragmentsAreCharged(t *testing.T) {
	config := smallConfig()
	config.Limits.Messages = 10
	a, b := newPipe(t, config)
	go feed(b)
	c := a.Lane(0).Consumer()
	r, err := c.Reader(within(t, 5*time.Second))
	must(t, err)
	must(t, r.Close())
	a.limit.messages.rate = 1e-3
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := c.Peek(ctx); !errors.Is(err, ErrTimeout) {
		t.Fatalf("got %v", err)
	}
	if s := b.Lane(0).Producer().Owner(100); s != Unknown {
		t.Fatalf("fragment 100 is %v at a limit of 10", s)
	}
}

// feed sends one large message in tiny fragments, as fast as they are taken.
func feed(ch *Channel) {
	w, err := ch.Lane(0).Producer().Writer(context.Background(), Header{}, 1<<20)
	for err == nil {
		_, err = w.Write([]byte{1})
	}
}

// A peer that feeds a message byte by byte, fast enough that there never is
// anything to wait for, must not carry us past the end of the context: neither
// in a message that is assembled, nor in one that is being dropped.
func TestFragmentsDoNotOutrunTheContext(t *testing.T) {
	for _, drop := range []bool{false, true} {
		t.Run(map[bool]string{false: "assembled", true: "dropped"}[drop], func(t *testing.T) {
			a, b := newPipe(t, smallConfig())
			c := a.Lane(0).Consumer()
			f := &forger{region: b.pair.out, geo: &b.pair.outRings()[0]}
			f.slot(0, 1000, 0, packHeader(Header{}, flagTotal), 1)
			for i := 1; i < 8; i++ {
				f.slot(i, uint64(i)*64, 1, packHeader(Header{}, flagMore), uint64(i+1))
			}
			f.head(2)
			r, err := c.Reader(context.Background())
			must(t, err)
			if drop {
				must(t, r.Close())
			} else {
				c.mu.Lock()
				c.reading = false
				c.mu.Unlock()
			}
			f.head(8)
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			_, _, err = c.Recv(ctx, nil)
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("got %v", err)
			}
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.ring.next > 4 {
				t.Fatalf("%d descriptors were taken after the context had ended", c.ring.next-2)
			}
		})
	}
}
