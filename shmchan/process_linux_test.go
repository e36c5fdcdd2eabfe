package shmchan

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

func init() {
	roles["ring-echo"] = func() error { return echoPeer(Config{}) }
	roles["ring-echo-blocking"] = func() error { return echoPeer(Config{Spin: -1}) }
	roles["ring-echo-small"] = func() error { return echoPeer(smallConfig()) }
}

// echoPeer answers every message in place until the peer closes.
func echoPeer(config Config) error {
	ch, err := Attach(inheritedFiles(), config)
	if err != nil {
		return err
	}
	defer ch.Close()
	ctx := context.Background()
	p, c := ch.Lane(0).Producer(), ch.Lane(0).Consumer()
	for {
		f, err := c.Peek(ctx)
		if errors.Is(err, ErrPeerClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		r, err := p.Reserve(ctx, f.Len())
		if err != nil {
			return err
		}
		if _, err := f.CopyTo(r.Bytes()); err != nil {
			return err
		}
		if err := errors.Join(f.Release(), r.Commit(f.Header())); err != nil {
			return err
		}
	}
}

// newOffer is a channel whose files and memory the test gives back.
func newOffer(t testing.TB, c Config) *Offer {
	t.Helper()
	o, err := Create(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = o.Channel().Close(), o.Close() })
	return o
}

func TestTwoProcesses(t *testing.T) {
	o := newOffer(t, smallConfig())
	cmd := startRole(t, "ring-echo-small", o.Files())
	ctx := within(t, 30*time.Second)
	p, c := o.Channel().Lane(0).Producer(), o.Channel().Lane(0).Consumer()
	var buf []byte
	for i := range 2000 {
		want := pattern(i, i*13%(MinData/2))
		must(t, p.Send(ctx, Header{Call: uint32(i)}, want))
		h, got, err := c.Recv(ctx, buf)
		must(t, err)
		if h.Call != uint32(i) || string(got) != string(want) {
			t.Fatalf("message %d came back changed", i)
		}
		buf = got
	}
	must(t, o.Channel().Close())
	finishRole(t, cmd)
}

func TestPeerIsKilled(t *testing.T) {
	dead := make(chan struct{})
	config := smallConfig()
	config.Alive = dead
	o := newOffer(t, config)
	cmd := startRole(t, "ring-echo-small", o.Files())
	c := o.Channel().Lane(0).Consumer()
	must(t, o.Channel().Lane(0).Producer().Send(within(t, 5*time.Second), Header{}, nil))
	if _, _, err := c.Recv(within(t, 5*time.Second), nil); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		close(dead)
	}()
	if _, _, err := c.Recv(within(t, 5*time.Second), nil); !errors.Is(err, ErrPeerDied) {
		t.Fatal(err)
	}
}

func benchmarkEcho(b *testing.B, role string, config Config, size int) {
	o := newOffer(b, config)
	ctx := within(b, time.Minute)
	cmd := startRole(b, role, o.Files())
	p, c := o.Channel().Lane(0).Producer(), o.Channel().Lane(0).Consumer()
	once := func() error {
		r, err := p.Reserve(ctx, size)
		if err != nil {
			return err
		}
		r.Bytes()[0] = 1
		if err := r.Commit(Header{}); err != nil {
			return err
		}
		f, err := c.Peek(ctx)
		if err != nil {
			return err
		}
		return f.Release()
	}
	if err := once(); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := once(); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	_ = o.Channel().Close()
	finishRole(b, cmd)
}

// BenchmarkRoundTrip is what a call waits for, between two processes.
func BenchmarkRoundTrip(b *testing.B) {
	for _, size := range []int{64, 4096, 65536, 1 << 20} {
		b.Run(fmt.Sprintf("spinning/%d", size), func(b *testing.B) { benchmarkEcho(b, "ring-echo", Config{}, size) })
	}
	b.Run("blocking/64", func(b *testing.B) { benchmarkEcho(b, "ring-echo-blocking", Config{Spin: -1}, 64) })
}
