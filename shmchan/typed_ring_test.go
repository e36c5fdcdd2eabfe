package shmchan

import (
	"context"
	"errors"
	"testing"
)

type reading struct {
	Sensor uint32
	Valid  bool
	_      [3]byte
	Value  float64
}

func TestTypedThroughARing(t *testing.T) {
	typ, err := NewTyped[reading]()
	must(t, err)
	a, b := newPipe(t, smallConfig())
	p, c := a.Lane(0).Producer(), b.Lane(0).Consumer()
	ctx := context.Background()
	good := make([]byte, typ.Size())
	bad := append([]byte(nil), good...)
	bad[4] = 2
	for _, d := range []struct {
		name     string
		send     func() error
		violated bool
	}{
		{"value", func() error { return typ.Send(ctx, p, Header{Kind: 3}, &reading{1, true, [3]byte{}, 2.5}) }, false},
		{"bool of 2", func() error { return p.Send(ctx, Header{Kind: 3}, bad) }, true},
		{"one byte too few", func() error { return p.Send(ctx, Header{Kind: 3}, good[1:]) }, true},
		{"nothing", func() error { return p.Send(ctx, Header{Kind: 3}, nil) }, true},
		{"value after bad ones", func() error { return typ.Send(ctx, p, Header{Kind: 3}, &reading{1, true, [3]byte{}, 2.5}) }, false},
	} {
		t.Run(d.name, func(t *testing.T) {
			must(t, d.send())
			got := reading{Sensor: 99}
			h, err := typ.Recv(ctx, c, &got)
			if errors.Is(err, ErrViolation) != d.violated || !d.violated && err != nil || h.Kind != 3 {
				t.Fatalf("got %+v, %v", h, err)
			}
			want := reading{1, true, [3]byte{}, 2.5}
			if d.violated {
				want = reading{}
			}
			if got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
	if b.Err() != nil {
		t.Errorf("the channel ended: %v", b.Err())
	}
}

func TestTypedLargerThanTheRingIsRefused(t *testing.T) {
	typ, err := NewTyped[[MinData]byte]()
	must(t, err)
	a, _ := newPipe(t, smallConfig())
	if err := typ.Send(context.Background(), a.Lane(0).Producer(), Header{}, new([MinData]byte)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v", err)
	}
}

func TestTypedThroughARingAllocatesNothing(t *testing.T) {
	typ, err := NewTyped[reading]()
	must(t, err)
	a, b := newPipe(t, smallConfig())
	p, c := a.Lane(0).Producer(), b.Lane(0).Consumer()
	v := new(reading)
	ctx := context.Background()
	if n := testing.AllocsPerRun(100, func() {
		must(t, typ.Send(ctx, p, Header{}, v))
		_, err := typ.Recv(ctx, c, v)
		must(t, err)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
