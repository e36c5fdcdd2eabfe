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
