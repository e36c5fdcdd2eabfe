package shmchan

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

// numbers sends 0..n-1 and checks that they arrive in order, both ways at once.
func numbers(ctx context.Context, from, to *Channel, n int) error {
	sent := make(chan error, 1)
	go func() {
		for i := range n {
			if err := from.Lane(0).Producer().Send(ctx, Header{Call: uint32(i)}, pattern(i, i%3000)); err != nil {
				sent <- fmt.Errorf("sending %d: %w", i, err)
				return
			}
		}
		sent <- nil
	}()
	var buf []byte
	for i := range n {
		h, got, err := to.Lane(0).Consumer().Recv(ctx, buf)
		if err != nil {
			return fmt.Errorf("receiving %d: %w", i, err)
		}
		if h.Call != uint32(i) || string(got) != string(pattern(i, i%3000)) {
			return fmt.Errorf("message %d came as %d", i, h.Call)
		}
		buf = got
	}
	return <-sent
}

func TestReplaceUnderTraffic(t *testing.T) {
	a, b := newPipe(t, smallConfig())
	ctx := within(t, 60*time.Second)
	var wg sync.WaitGroup
	for _, d := range [][2]*Channel{{a, b}, {b, a}} {
		wg.Go(func() {
			if err := numbers(ctx, d[0], d[1], 6000); err != nil {
				t.Error(err)
			}
		})
	}
	larger := smallConfig()
	for i := range 3 {
		larger.Lanes = []LaneConfig{{Outbound: RingConfig{Data: MinData << (i + 1)}, Inbound: small()}}
		o, err := a.Prepare(larger)
		must(t, err)
		must(t, b.AdoptPipe(o))
		for a.Epoch() != uint64(i+2) || b.Epoch() != uint64(i+2) {
			if ctx.Err() != nil || a.Err() != nil {
				t.Fatalf("still in epoch %d and %d: %v", a.Epoch(), b.Epoch(), a.Err())
			}
			time.Sleep(100 * time.Microsecond) // the traffic does the move; nothing tells
		}
	}
	wg.Wait()
	if got := a.Stats().Lanes[0].Outbound.Size; got != MinData<<3 {
		t.Fatalf("data area of %d bytes", got)
	}
}

func TestBorrowedFramesOutliveTheirMemory(t *testing.T) {
	a, b := newPipe(t, smallConfig())
	ctx := within(t, 10*time.Second)
	must(t, a.Lane(0).Producer().Send(ctx, Header{}, []byte("old")))
	f, err := b.Lane(0).Consumer().Peek(ctx)
	must(t, err)
	o, err := a.Prepare(smallConfig())
	must(t, err)
	if _, err := a.Prepare(smallConfig()); !errors.Is(err, ErrReplacing) {
		t.Fatalf("second Prepare: %v", err)
	}
	must(t, b.AdoptPipe(o)) // sends the switch
	must(t, b.Lane(0).Producer().Send(ctx, Header{}, []byte("new")))
	if _, got, err := a.Lane(0).Consumer().Recv(ctx, nil); err != nil || string(got) != "new" {
		t.Fatalf("%q, %v", got, err)
	}
	must(t, a.Lane(0).Producer().Send(ctx, Header{}, []byte("newer")))
	if _, got, err := b.Lane(0).Consumer().Recv(ctx, nil); err != nil || string(got) != "newer" {
		t.Fatalf("%q, %v", got, err)
	}
	if !slices.ContainsFunc(b.Ledger(), func(l LedgerEntry) bool {
		return l.Epoch == 1 && l.Sequence == 1 && l.State == Borrowed && l.Length == 3
	}) {
		t.Fatalf("ledger %+v", b.Ledger())
	}
	if string(f.Bytes()) != "old" {
		t.Fatalf("borrowed bytes changed to %q", f.Bytes())
	}
	must(t, f.Release())
	if a.Epoch() != 2 || b.Epoch() != 2 {
		t.Fatalf("epochs %d and %d", a.Epoch(), b.Epoch())
	}
}

func TestWriterAndReader(t *testing.T) {
	a, b := newPipe(t, smallConfig())
	ctx := within(t, 20*time.Second)
	p, c := a.Lane(0).Producer(), b.Lane(0).Consumer()

	w, err := p.Writer(ctx, Header{Kind: 3}, 1000)
	must(t, err)
	if _, err = w.Write(make([]byte, 600)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err == nil {
		t.Fatal("a writer closed early did not say so")
	}
	if _, _, err = c.Recv(ctx, nil); !errors.Is(err, ErrAborted) {
		t.Fatalf("the reader got %v", err)
	}

	// A reader that loses interest gets the next message, not the rest.
	must(t, p.Send(ctx, Header{}, make([]byte, MinData/2)))
	done := make(chan error, 1)
	go func() {
		err := p.Send(ctx, Header{}, make([]byte, 10*MinData))
		done <- errors.Join(err, p.Send(ctx, Header{}, []byte("next")))
	}()
	_, _, err = c.Recv(ctx, nil)
	must(t, err)
	r, err := c.Reader(ctx)
	must(t, err)
	if r.Total() != 10*MinData {
		t.Fatalf("total %d", r.Total())
	}
	if _, err := c.Peek(ctx); !errors.Is(err, ErrConcurrentUse) {
		t.Fatalf("Peek beside a Reader: %v", err)
	}
	must(t, r.Close())
	_, got, err := c.Recv(ctx, nil)
	if err != nil || string(got) != "next" {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	must(t, <-done)
}

func TestStalledMessageTimesOut(t *testing.T) {
	a, b := newPipe(t, smallConfig())
	w, err := a.Lane(0).Producer().Writer(context.Background(), Header{}, 1000)
	must(t, err)
	defer w.Close()
	_, err = w.Write(make([]byte, 10))
	must(t, err)
	if _, _, err = b.Lane(0).Consumer().Recv(context.Background(), nil); !errors.Is(err, ErrTimeout) {
		t.Fatal(err)
	}
}
