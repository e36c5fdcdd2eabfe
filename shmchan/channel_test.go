package shmchan

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

// pattern is n bytes that differ from message to message and place to place.
func pattern(seed, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(seed*31 + i*7 + i>>8)
	}
	return b
}

func TestMessagesArriveInOrder(t *testing.T) {
	sizes := []int{0, 1, 63, 64, 65, 4096, MinData / 2, MinData/2 + 1, MinData, 5*MinData + 3, 1 << 20}
	a, b := newPipe(t, smallConfig())
	for _, dir := range []struct {
		name     string
		from, to *Channel
	}{{"creator to attacher", a, b}, {"attacher to creator", b, a}} {
		t.Run(dir.name, func(t *testing.T) {
			ctx := within(t, 20*time.Second)
			sent := make(chan error, 1)
			go func() {
				for i, n := range sizes {
					if err := dir.from.Lane(0).Producer().Send(ctx, Header{Kind: uint8(i), Call: uint32(n)}, pattern(i, n)); err != nil {
						sent <- fmt.Errorf("message %d: %w", i, err)
						return
					}
				}
				sent <- nil
			}()
			var buf []byte
			for i, n := range sizes {
				h, got, err := dir.to.Lane(0).Consumer().Recv(ctx, buf)
				must(t, err)
				if want := (Header{Kind: uint8(i), Call: uint32(n)}); h != want {
					t.Fatalf("header %+v (want %+v)", h, want)
				}
				if !bytes.Equal(got, pattern(i, n)) {
					t.Fatalf("message %d of %d bytes arrived changed", i, n)
				}
				buf = got
			}
			must(t, <-sent)
		})
	}
}

func TestWritingAndReadingInPlace(t *testing.T) {
	a, b := newPipe(t, smallConfig())
	ctx := within(t, 10*time.Second)
	for i := range 1000 {
		r, err := a.Lane(0).Producer().Reserve(ctx, 100)
		must(t, err)
		copy(r.Bytes(), pattern(i, 100))
		must(t, r.Commit(Header{Call: uint32(i)}))
		f, err := b.Lane(0).Consumer().Peek(ctx)
		must(t, err)
		if f.Header().Call != uint32(i) || f.Sequence() != uint64(i+1) || !bytes.Equal(f.Bytes(), pattern(i, 100)) {
			t.Fatalf("frame %d: header %+v, sequence %d", i, f.Header(), f.Sequence())
		}
		must(t, f.Release())
	}
}

func TestSmallTrafficStaysAtTheBottom(t *testing.T) {
	a, b := newPipe(t, Config{})
	ctx := within(t, 10*time.Second)
	for i := range 10000 {
		must(t, a.Lane(0).Producer().Send(ctx, Header{}, []byte("hot")))
		f, err := b.Lane(0).Consumer().Peek(ctx)
		must(t, err)
		if f.ring.taken[(f.seq-1)%DefaultSlots].start > 2*lookEvery {
			t.Fatalf("message %d lies at %d", i, f.ring.live.lo)
		}
		must(t, f.Release())
	}
}

// Misuse of one's own end is an error, never corruption.
func TestMisuse(t *testing.T) {
	reserve := func(t *testing.T, p *Producer) Reservation {
		t.Helper()
		r, err := p.Reserve(context.Background(), 10)
		must(t, err)
		return r
	}
	tests := []struct {
		name string
		do   func(t *testing.T, p *Producer, c *Consumer) error
		want error
	}{
		{"commit twice", func(t *testing.T, p *Producer, c *Consumer) error {
			r := reserve(t, p)
			must(t, r.Commit(Header{}))
			return r.Commit(Header{})
		}, ErrCommitted},
		{"commit after abandon", func(t *testing.T, p *Producer, c *Consumer) error {
			r := reserve(t, p)
			must(t, r.Abandon())
			return r.Commit(Header{})
		}, ErrAbandoned},
		{"abandon after commit", func(t *testing.T, p *Producer, c *Consumer) error {
			r := reserve(t, p)
			must(t, r.Commit(Header{}))
			return r.Abandon()
		}, ErrCommitted},
		{"abandon after the slot was used again", func(t *testing.T, p *Producer, c *Consumer) error {
			r := reserve(t, p)
			must(t, r.Abandon())
			must(t, reserve(t, p).Commit(Header{}))
			return r.Abandon()
		}, ErrAbandoned},
		{"release twice", func(t *testing.T, p *Producer, c *Consumer) error {
			must(t, reserve(t, p).Commit(Header{}))
			f, err := c.Peek(context.Background())
			must(t, err)
			must(t, f.Release())
			return f.Release()
		}, ErrReleased},
		{"release a zero frame", func(t *testing.T, p *Producer, c *Consumer) error { return Frame{}.Release() }, ErrReleased},
		{"commit a zero reservation", func(t *testing.T, p *Producer, c *Consumer) error { return Reservation{}.Commit(Header{}) }, ErrAbandoned},
		{"reserve more than half the area", func(t *testing.T, p *Producer, c *Consumer) error {
			_, err := p.Reserve(context.Background(), MinData/2+1)
			return err
		}, ErrTooLarge},
		{"reserve less than nothing", func(t *testing.T, p *Producer, c *Consumer) error {
			_, err := p.Reserve(context.Background(), -1)
			return err
		}, ErrTooLarge},
		{"commit more than was reserved", func(t *testing.T, p *Producer, c *Consumer) error {
			return reserve(t, p).CommitFirst(Header{}, 11)
		}, ErrTooLarge},
		{"send more than the agreed maximum", func(t *testing.T, p *Producer, c *Consumer) error {
			return p.Send(context.Background(), Header{}, make([]byte, 1<<20+1))
		}, ErrTooLarge},
		{"send while a message is being written", func(t *testing.T, p *Producer, c *Consumer) error {
			w, err := p.Writer(context.Background(), Header{}, 100)
			must(t, err)
			defer w.Close()
			return p.Send(context.Background(), Header{}, nil)
		}, ErrConcurrentUse},
		{"no room", func(t *testing.T, p *Producer, c *Consumer) error {
			for {
				if err := p.Send(context.Background(), Header{}, make([]byte, 1000)); err != nil {
					return err
				}
			}
		}, ErrTimeout},
		{"nothing to receive", func(t *testing.T, p *Producer, c *Consumer) error {
			_, err := c.Peek(within(t, 20*time.Millisecond))
			return err
		}, context.DeadlineExceeded},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, b := newPipe(t, smallConfig())
			err := tt.do(t, a.Lane(0).Producer(), b.Lane(0).Consumer())
			if !errors.Is(err, tt.want) {
				t.Fatalf("got %v (want %v)", err, tt.want)
			}
			if a.Err() != nil || b.Err() != nil {
				t.Fatalf("misuse ended the channel: %v, %v", a.Err(), b.Err())
			}
		})
	}
}

func TestSecondUserWhileFirstWaits(t *testing.T) {
	a, b := newPipe(t, smallConfig())
	c := b.Lane(0).Consumer()
	first := make(chan error, 1)
	go func() {
		_, err := c.Peek(context.Background())
		first <- err
	}()
	for waiting := false; !waiting; {
		c.mu.Lock()
		waiting = c.busy
		c.mu.Unlock()
	}
	if _, err := c.Peek(context.Background()); !errors.Is(err, ErrConcurrentUse) {
		t.Fatalf("second reader: %v", err)
	}
	must(t, a.Lane(0).Producer().Send(context.Background(), Header{}, nil))
	must(t, <-first)
}

func TestReservationsKeepTheirOrder(t *testing.T) {
	a, b := newPipe(t, smallConfig())
	ctx := within(t, 10*time.Second)
	p, c := a.Lane(0).Producer(), b.Lane(0).Consumer()
	var rs []Reservation
	for i := range 5 {
		r, err := p.Reserve(ctx, 8)
		must(t, err)
		r.Bytes()[0] = byte(i)
		rs = append(rs, r)
	}
	must(t, rs[2].Commit(Header{}))
	must(t, rs[1].Abandon())
	must(t, p.CommitN(rs[3:], []Header{{}, {}}))
	if n := c.Owner(1); n != Unknown {
		t.Fatalf("a frame was seen before the one reserved first: %v", n)
	}
	must(t, rs[0].Commit(Header{}))
	for _, want := range []byte{0, 2, 3, 4} {
		f, err := c.Peek(ctx)
		must(t, err)
		if f.Bytes()[0] != want {
			t.Fatalf("got reservation %d (want %d)", f.Bytes()[0], want)
		}
		must(t, f.Release())
	}
}

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

func TestNoAllocations(t *testing.T) {
	a, b := newPipe(t, Config{})
	ctx := context.Background()
	p, c := a.Lane(0).Producer(), b.Lane(0).Consumer()
	msg, buf := make([]byte, 64), make([]byte, 64)
	if n := testing.AllocsPerRun(1000, func() {
		r, _ := p.Reserve(ctx, 64)
		_ = r.Commit(Header{})
		f, _ := c.Peek(ctx)
		_ = f.Release()
		_ = p.Send(ctx, Header{}, msg)
		_, buf, _ = c.Recv(ctx, buf)
	}); n != 0 {
		t.Fatalf("%v allocations a message", n)
	}
}

func TestConfig(t *testing.T) {
	ring := func(r RingConfig) Config { return Config{Lanes: []LaneConfig{{Inbound: r}}} }
	tests := []struct {
		name   string
		config Config
		bad    bool
	}{
		{"zero value", Config{}, false},
		{"most lanes", Config{Lanes: make([]LaneConfig, MaxLanes)}, false},
		{"a lane too many", Config{Lanes: make([]LaneConfig, MaxLanes+1)}, true},
		{"area not aligned", ring(RingConfig{Data: MinData + 4096}), true},
		{"area too small", ring(RingConfig{Data: MinData / 2}), true},
		{"area too large", ring(RingConfig{Data: 2 * MaxData}), true},
		{"slots not a power of two", ring(RingConfig{Slots: 100}), true},
		{"too many slots", ring(RingConfig{Slots: 2 * MaxSlots}), true},
		{"negative message", ring(RingConfig{MaxMessage: -1}), true},
		{"negative timeout", Config{MessageTimeout: -1}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, b, err := Pipe(tt.config)
			if bad := errors.Is(err, ErrConfig); bad != tt.bad {
				t.Fatalf("got %v", err)
			}
			if err == nil {
				_, _ = a.Close(), b.Close()
			}
		})
	}
}
