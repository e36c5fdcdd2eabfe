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
