package shmchan

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"
)

func init() {
	roles["ring-echo"] = func() error { return echoPeer(Config{}) }
	roles["ring-echo-blocking"] = func() error { return echoPeer(Config{Spin: -1}) }
	roles["ring-echo-moving"] = movingEcho
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

// movingEcho answers like echoPeer, and moves to the memory in fds 5 and 6 when
// it is asked to.
func movingEcho() error {
	ch, err := Attach(inheritedFiles(), smallConfig())
	if err != nil {
		return err
	}
	defer ch.Close()
	p, c := ch.Lane(0).Producer(), ch.Lane(0).Consumer()
	var buf []byte
	for {
		h, msg, err := c.Recv(context.Background(), buf)
		if errors.Is(err, ErrPeerClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		if h.Kind == 1 {
			next := [2]*os.File{os.NewFile(5, "out"), os.NewFile(6, "in")}
			if err := ch.Adopt(next, largerConfig()); err != nil {
				return err
			}
		}
		if err := p.Send(context.Background(), h, msg); err != nil {
			return err
		}
		buf = msg
	}
}

func largerConfig() Config {
	c := smallConfig()
	c.Lanes[0].Outbound.Data, c.Lanes[0].Inbound.Data = 4*MinData, 2*MinData
	return c
}

// The other process adopts the new memory in the middle of traffic that is
// pipelined both ways; nothing is lost, changed or reordered.
func TestReplaceAcrossProcesses(t *testing.T) {
	o := newOffer(t, smallConfig())
	a := o.Channel()
	next, err := a.Prepare(largerConfig())
	must(t, err)
	t.Cleanup(func() { _ = next.Close() })
	cmd := startRole(t, "ring-echo-moving", append(append([]*os.File(nil), o.Files()...), next.Files()...))
	ctx := within(t, 100*time.Second)
	const n = 1000
	sent := make(chan error, 1)
	go func() {
		for i := range n {
			h := Header{Call: uint32(i)}
			if i == n/2 {
				h.Kind = 1
			}
			if err := a.Lane(0).Producer().Send(ctx, h, pattern(i, i*17%(MinData/3))); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	var buf []byte
	for i := range n {
		h, got, err := a.Lane(0).Consumer().Recv(ctx, buf)
		must(t, err)
		if h.Call != uint32(i) || string(got) != string(pattern(i, i*17%(MinData/3))) {
			t.Fatalf("message %d came back as %d", i, h.Call)
		}
		buf = got
	}
	must(t, <-sent)
	if s := a.Stats(); s.Epoch != 2 || s.Lanes[0].Outbound.Size != 4*MinData || s.Lanes[0].Inbound.Size != 2*MinData {
		t.Fatalf("epoch %d, areas of %d and %d", s.Epoch, s.Lanes[0].Outbound.Size, s.Lanes[0].Inbound.Size)
	}
	if o.pair.out.mem != nil || o.pair.in.mem != nil {
		t.Fatal("the old memory is still mapped")
	}
	must(t, a.Close())
	finishRole(t, cmd)
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
