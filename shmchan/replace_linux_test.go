package shmchan

import (
	"errors"
	"os"
	"testing"
	"time"
)

func TestReplaceWithFiles(t *testing.T) {
	config := smallConfig()
	o := newOffer(t, config)
	a := o.Channel()
	b, err := Attach([2]*os.File(o.Files()), config)
	must(t, err)
	t.Cleanup(func() { _ = b.Close() })
	ctx := within(t, 30*time.Second)

	if err := b.Adopt([2]*os.File(o.Files()), config); !errors.Is(err, ErrViolation) {
		t.Fatalf("the files of this epoch were adopted again: %v", err)
	}
	larger := smallConfig()
	larger.Lanes = []LaneConfig{{Outbound: RingConfig{Data: 4 * MinData}, Inbound: small()}}
	next, err := a.Prepare(larger)
	must(t, err)
	t.Cleanup(func() { _ = next.Close() })
	done := make(chan error, 2)
	go func() { done <- numbers(ctx, a, b, 2000) }()
	go func() { done <- numbers(ctx, b, a, 2000) }()
	must(t, b.Adopt([2]*os.File(next.Files()), larger))
	must(t, errors.Join(<-done, <-done))
	if a.Epoch() != 2 || b.Epoch() != 2 {
		t.Fatalf("epochs %d and %d", a.Epoch(), b.Epoch())
	}
	if o.pair.out.mem != nil || o.pair.in.mem != nil {
		t.Fatal("the old memory is still mapped")
	}
}

// connected is both ends of a channel over memory files, in one process.
func connected(t *testing.T) (a, b *Channel) {
	t.Helper()
	config := smallConfig()
	o := newOffer(t, config)
	b, err := Attach([2]*os.File(o.Files()), config)
	must(t, err)
	t.Cleanup(func() { _ = b.Close() })
	return o.Channel(), b
}

// A peer that never takes what it is offered must not make the host keep it.
func TestCanceledMemoryIsUnmapped(t *testing.T) {
	a, b := connected(t)
	ctx := within(t, 30*time.Second)
	mapped := sharedMappings(t)
	for range 20 {
		o, err := a.Prepare(smallConfig())
		must(t, err)
		if got := sharedMappings(t); got != mapped+2 {
			t.Fatalf("%d mappings while new memory is offered, %d before", got, mapped)
		}
		must(t, o.Close())
		must(t, a.Cancel(o))
		if got := sharedMappings(t); got != mapped {
			t.Fatalf("%d mappings, %d before", got, mapped)
		}
		if err := a.Cancel(o); !errors.Is(err, ErrReplacing) {
			t.Fatalf("canceled twice: %v", err)
		}
	}
	o, err := a.Prepare(smallConfig())
	must(t, err)
	t.Cleanup(func() { _ = o.Close() })
	must(t, b.Adopt([2]*os.File(o.Files()), smallConfig()))
	must(t, errors.Join(numbers(ctx, b, a, 20), numbers(ctx, a, b, 20))) // each consumer moves as it receives
	must(t, errors.Join(a.Moved(ctx), b.Moved(ctx)))
	if a.Epoch() != 2 || b.Epoch() != 2 {
		t.Errorf("epochs %d and %d", a.Epoch(), b.Epoch())
	}
	if got := sharedMappings(t); got != mapped {
		t.Errorf("%d mappings after the move, %d before", got, mapped)
	}
	if err := a.Cancel(o); !errors.Is(err, ErrReplacing) {
		t.Errorf("canceled after the move: %v", err)
	}
}

// Memory that was taken back is gone: a peer that moves to it all the same, at any
// moment, gets a violation or was in time, and never makes the host touch what it
// has unmapped.
func TestAPeerThatMovesToCanceledMemory(t *testing.T) {
	outcomes := map[bool]int{}
	for range 200 {
		a, b := connected(t)
		o, err := a.Prepare(smallConfig())
		must(t, err)
		received, canceled := make(chan error, 1), make(chan error, 1)
		go func() {
			_, _, err := a.Lane(0).Consumer().Recv(within(t, 30*time.Second), nil)
			received <- err
		}()
		go func() { canceled <- a.Cancel(o) }()
		must(t, b.Adopt([2]*os.File(o.Files()), smallConfig()))
		must(t, o.Close())
		must(t, b.Lane(0).Producer().Send(within(t, 30*time.Second), Header{}, []byte("from there")))
		back, got := <-canceled == nil, <-received
		outcomes[back]++
		if back != errors.Is(got, ErrViolation) || !back && got != nil {
			t.Fatalf("taken back %t, and the receiver got %v", back, got)
		}
		must(t, errors.Join(a.Close(), b.Close()))
	}
	t.Logf("taken back in time: %d of 200", outcomes[true])
}

// A producer in use moves before its next message; Moved waits for it, and for a
// lane on which the peer does not move it waits no longer than it is told.
func TestMovedWaitsForEveryRingEnd(t *testing.T) {
	a, b := connected(t)
	ctx := within(t, 30*time.Second)
	r, err := a.Lane(0).Producer().Reserve(ctx, 10)
	must(t, err)
	o, err := a.Prepare(smallConfig())
	must(t, err)
	t.Cleanup(func() { _ = o.Close() })
	if err := a.Moved(within(t, time.Millisecond)); !errors.Is(err, ErrTimeout) {
		t.Errorf("Moved before the peer has the memory: %v", err)
	}
	must(t, b.Adopt([2]*os.File(o.Files()), smallConfig()))
	must(t, numbers(ctx, b, a, 3))
	if err := a.Moved(within(t, time.Millisecond)); !errors.Is(err, ErrTimeout) {
		t.Errorf("Moved beside a reservation: %v", err)
	}
	moved := make(chan error, 1)
	go func() { moved <- a.Moved(ctx) }()
	must(t, r.Commit(Header{}))
	must(t, <-moved)
	if a.Epoch() != 2 {
		t.Errorf("epoch %d", a.Epoch())
	}
}
