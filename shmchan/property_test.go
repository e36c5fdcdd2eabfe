package shmchan

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"pgregory.net/rapid"
)

// model is what a lane must look like from outside: messages in order, and
// borrowed bytes that nobody changes.
type model struct {
	p    *Producer
	c    *Consumer
	open []open
	sent [][]byte // committed, not received
	held []held
	n    int
}

type open struct {
	r    Reservation
	want []byte
}

type held struct {
	f    Frame
	want []byte
}

func (m *model) fresh(n int) []byte { m.n++; return pattern(m.n, n) }

// expired is a context that lets nothing wait.
func expired() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func (m *model) reserve(t *rapid.T) {
	want := m.fresh(rapid.IntRange(0, MinData/2).Draw(t, "bytes"))
	r, err := m.p.Reserve(expired(), len(want))
	if errors.Is(err, context.Canceled) {
		return // full
	}
	if err != nil {
		t.Fatal(err)
	}
	copy(r.Bytes(), want)
	m.open = append(m.open, open{r, want})
}

// settle commits the oldest reservations in one batch, or abandons them.
func (m *model) settle(t *rapid.T) {
	if len(m.open) == 0 {
		t.Skip("nothing reserved")
	}
	n := rapid.IntRange(1, len(m.open)).Draw(t, "batch")
	var rs []Reservation
	for _, o := range m.open[:n] {
		if rapid.IntRange(0, 3).Draw(t, "abandon") == 0 {
			if err := o.r.Abandon(); err != nil {
				t.Fatal(err)
			}
			continue
		}
		rs = append(rs, o.r)
		m.sent = append(m.sent, o.want)
	}
	m.open = m.open[n:]
	if err := m.p.CommitN(rs, make([]Header, len(rs))); err != nil {
		t.Fatal(err)
	}
}

func (m *model) send(t *rapid.T) {
	if len(m.open) > 0 {
		t.Skip("reservations come first")
	}
	want := m.fresh(rapid.IntRange(0, 2000).Draw(t, "bytes"))
	if err := m.p.Send(expired(), Header{}, want); err == nil {
		m.sent = append(m.sent, want)
	} else if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

func (m *model) peek(t *rapid.T) {
	f, err := m.c.Peek(expired())
	if errors.Is(err, context.Canceled) && len(m.sent) == 0 {
		return
	}
	if err != nil {
		t.Fatalf("%v with %d messages sent", err, len(m.sent))
	}
	if !bytes.Equal(f.Bytes(), m.sent[0]) {
		t.Fatalf("message changed or out of order")
	}
	m.held = append(m.held, held{f, m.sent[0]})
	m.sent = m.sent[1:]
}

func (m *model) release(t *rapid.T) {
	if len(m.held) == 0 {
		t.Skip("nothing borrowed")
	}
	i := rapid.IntRange(0, len(m.held)-1).Draw(t, "which")
	if err := m.held[i].f.Release(); err != nil {
		t.Fatal(err)
	}
	if err := m.held[i].f.Release(); !errors.Is(err, ErrReleased) {
		t.Fatalf("second release: %v", err)
	}
	m.held = append(m.held[:i:i], m.held[i+1:]...)
}

func (m *model) check(t *rapid.T) {
	for _, h := range m.held {
		if !bytes.Equal(h.f.Bytes(), h.want) {
			t.Fatalf("borrowed bytes of frame %d changed", h.f.Sequence())
		}
	}
	for _, o := range m.open {
		if !bytes.Equal(o.r.Bytes(), o.want) {
			t.Fatal("reserved bytes changed")
		}
	}
	if err := m.p.ch.Err(); err != nil {
		t.Fatal(err)
	}
	if err := m.c.ch.Err(); err != nil {
		t.Fatal(err)
	}
}

func TestOwnershipProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		config := smallConfig()
		config.Lanes[0].Outbound.Slots = 1 << rapid.IntRange(2, 5).Draw(t, "log2 slots")
		a, b, err := Pipe(config)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		defer b.Close()
		m := &model{p: a.Lane(0).Producer(), c: b.Lane(0).Consumer()}
		t.Repeat(map[string]func(*rapid.T){
			"":        m.check,
			"reserve": m.reserve,
			"settle":  m.settle,
			"send":    m.send,
			"peek":    m.peek,
			"release": m.release,
		})
	})
}

// Sizes, fragments and buffers at random, with both ends running.
func TestStreamProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, err := Pipe(smallConfig())
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		defer b.Close()
		sizes := rapid.SliceOfN(rapid.IntRange(0, 3*MinData), 1, 8).Draw(t, "sizes")
		sent := make(chan error, 1)
		go func() {
			for i, n := range sizes {
				if err := a.Lane(0).Producer().Send(context.Background(), Header{Call: uint32(i)}, pattern(i, n)); err != nil {
					sent <- err
					return
				}
			}
			sent <- nil
		}()
		for i, n := range sizes {
			h, got, err := b.Lane(0).Consumer().Recv(context.Background(), nil)
			if err != nil || h.Call != uint32(i) || !bytes.Equal(got, pattern(i, n)) {
				t.Fatalf("message %d of %d bytes: %d bytes, %v", i, n, len(got), err)
			}
		}
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
	})
}
