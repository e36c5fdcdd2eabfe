package shmchan

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestCloseEndsBothSides(t *testing.T) {
	a, b := newPipe(t, smallConfig())
	waiting := make(chan error, 2)
	go func() { _, err := a.Lane(0).Consumer().Peek(context.Background()); waiting <- err }()
	must(t, a.Lane(0).Producer().Send(context.Background(), Header{}, []byte("last words")))
	must(t, a.Close())
	if err := <-waiting; !errors.Is(err, ErrClosed) {
		t.Fatalf("own side: %v", err)
	}
	_, got, err := b.Lane(0).Consumer().Recv(within(t, 5*time.Second), nil)
	if err != nil || string(got) != "last words" {
		t.Fatalf("committed before the close: %q, %v", got, err)
	}
	if _, _, err = b.Lane(0).Consumer().Recv(within(t, 5*time.Second), nil); !errors.Is(err, ErrPeerClosed) {
		t.Fatalf("peer: %v", err)
	}
	<-b.Done()
	if _, err := b.Lane(0).Producer().Reserve(context.Background(), 1); !errors.Is(err, ErrPeerClosed) {
		t.Fatalf("after the end: %v", err)
	}
}

// The kernel compares the low half of a word before it puts a waiter to sleep. A
// close that left it as it was would be missed by one that had just looked.
func TestCloseChangesWhatTheKernelCompares(t *testing.T) {
	a, b := newPipe(t, smallConfig())
	must(t, b.Lane(0).Producer().Send(t.Context(), Header{}, nil))
	head, tail := a.pair.in.counter(0, offHead), a.pair.in.counter(0, offTail)
	h, l := uint32(head.Load()), uint32(tail.Load())
	must(t, b.Close())
	if uint32(head.Load()) == h || uint32(tail.Load()) == l {
		t.Error("the low half is what it was")
	}
	if counted(head.Load()) != 1 || counted(tail.Load()) != 0 {
		t.Errorf("head %d, tail %d", counted(head.Load()), counted(tail.Load()))
	}
}

// The last words may be on another lane than the one where the close is seen
// first, and whoever sends sees it before anybody has read.
func TestLastWordsOnEveryLane(t *testing.T) {
	config := smallConfig()
	config.Lanes = append(config.Lanes, config.Lanes[0])
	a, b := newPipe(t, config)
	ctx := within(t, 60*time.Second)
	for i := range 2 {
		must(t, b.Lane(i).Producer().Send(ctx, Header{Call: uint32(i)}, nil))
	}
	must(t, b.Close())
	p := a.Lane(0).Producer()
	for {
		err := p.Send(ctx, Header{}, make([]byte, 5000))
		if errors.Is(err, ErrPeerClosed) {
			break
		}
		must(t, err)
	}
	for i := range 2 {
		c := a.Lane(i).Consumer()
		h, _, err := c.Recv(ctx, nil)
		if err != nil || h.Call != uint32(i) {
			t.Fatalf("lane %d: %+v, %v", i, h, err)
		}
		if i == 0 && a.Err() != nil {
			t.Fatalf("ended before lane 1 was read: %v", a.Err())
		}
		if _, _, err := c.Recv(ctx, nil); !errors.Is(err, ErrPeerClosed) {
			t.Fatalf("lane %d: %v", i, err)
		}
	}
	<-a.Done()
	if !errors.Is(a.Err(), ErrPeerClosed) {
		t.Fatal(a.Err())
	}
}

// All lanes are read at once, and the last reader out ends the channel.
func TestCloseIsSeenByAllLanesAtOnce(t *testing.T) {
	config := smallConfig()
	config.Lanes = make([]LaneConfig, MaxLanes)
	for i := range config.Lanes {
		config.Lanes[i] = LaneConfig{Outbound: small(), Inbound: small()}
	}
	for range 20 {
		a, b := newPipe(t, config)
		ctx := within(t, 60*time.Second)
		ended := make(chan error, MaxLanes)
		for i := range MaxLanes {
			must(t, b.Lane(i).Producer().Send(ctx, Header{}, nil))
			go func() {
				c := a.Lane(i).Consumer()
				_, _, err := c.Recv(ctx, nil)
				if err == nil {
					_, _, err = c.Recv(ctx, nil)
				}
				ended <- err
			}()
		}
		must(t, b.Close())
		for range MaxLanes {
			if err := <-ended; !errors.Is(err, ErrPeerClosed) {
				t.Fatal(err)
			}
		}
		select {
		case <-a.Done():
		case <-ctx.Done():
			t.Fatal("every lane was read to its end and the channel lives on")
		}
	}
}

func TestPeerDeath(t *testing.T) {
	dead := make(chan struct{})
	config := smallConfig()
	config.Alive = dead
	a, _ := newPipe(t, config)
	waiting := make(chan error, 1)
	go func() { _, err := a.Lane(0).Consumer().Peek(context.Background()); waiting <- err }()
	close(dead)
	if err := <-waiting; !errors.Is(err, ErrPeerDied) {
		t.Fatal(err)
	}
}
