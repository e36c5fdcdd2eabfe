package shmchan

import (
	"errors"
	"runtime"
	"testing"
)

// The second goroutine comes while the first is inside: the first hears it, and
// the second gets an error. One that finds Stats or a Release inside gets its
// turn.
func TestSecondGoroutineIsHeard(t *testing.T) {
	a, b := newPipe(t, smallConfig())
	p, c := b.Lane(0).Producer(), a.Lane(0).Consumer()
	for _, tt := range []struct {
		name  string
		turn  *oneUser
		lock  func()
		leave func()
		use   func() error
	}{
		{"send", &p.turn, p.mu.Lock, p.mu.Unlock, func() error { return p.Send(t.Context(), Header{}, nil) }},
		{"reserve", &p.turn, p.mu.Lock, p.mu.Unlock, func() error {
			r, err := p.Reserve(t.Context(), 1)
			if err == nil {
				err = r.Commit(Header{})
			}
			return err
		}},
		{"peek", &c.turn, c.mu.Lock, c.mu.Unlock, func() error {
			f, err := c.Peek(t.Context())
			if err == nil {
				err = f.Release()
			}
			return err
		}},
		{"receive", &c.turn, c.mu.Lock, c.mu.Unlock, func() error { _, _, err := c.Recv(t.Context(), nil); return err }},
	} {
		for _, sends := range []bool{true, false} {
			tt.lock()
			second := make(chan error, 1)
			go func() { second <- tt.use() }()
			for tt.turn.knocks.Load() == 0 {
				runtime.Gosched()
			}
			if sends {
				tt.turn.hear()
			}
			tt.leave()
			if err := <-second; errors.Is(err, ErrConcurrentUse) != sends || !sends && err != nil {
				t.Errorf("%s, holder sends or receives: %v: %v", tt.name, sends, err)
			}
		}
	}
}

// Two goroutines at one end get errors or turns, and never lose or damage a
// message that was accepted.
func TestTwoProducersDoNoDamage(t *testing.T) {
	a, b := newPipe(t, smallConfig())
	p, c := b.Lane(0).Producer(), a.Lane(0).Consumer()
	const each = 2000
	accepted := make(chan int, 2)
	for g := range 2 {
		go func() {
			n := 0
			for range each {
				err := p.Send(t.Context(), Header{Call: uint32(g)}, pattern(g, 100))
				if err == nil {
					n++
				} else if !errors.Is(err, ErrConcurrentUse) {
					t.Error(err)
				}
			}
			accepted <- n
		}()
	}
	end := make(chan int, 1)
	go func() {
		n := <-accepted + <-accepted
		if err := p.Send(t.Context(), Header{Call: 9}, nil); err != nil {
			t.Error(err)
		}
		end <- n
	}()
	for got := 0; ; got++ {
		h, msg, err := c.Recv(t.Context(), nil)
		must(t, err)
		if h.Call == 9 {
			if n := <-end; n != got {
				t.Fatalf("%d of %d accepted messages arrived", got, n)
			}
			return
		}
		if string(msg) != string(pattern(int(h.Call), 100)) {
			t.Fatal("a message arrived changed")
		}
	}
}
