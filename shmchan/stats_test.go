package shmchan

import (
	"encoding/json"
	"runtime"
	"testing"
)

func TestStats(t *testing.T) {
	a, b := newPipe(t, smallConfig())
	p, c := b.Lane(0).Producer(), a.Lane(0).Consumer()
	const n = 2*holdEvery + 1
	for i := range n {
		must(t, p.Send(t.Context(), Header{}, make([]byte, i)))
		f, err := c.Peek(t.Context())
		must(t, err)
		must(t, f.Release())
	}
	must(t, p.Send(t.Context(), Header{}, make([]byte, 100)))
	in, out := a.Stats().Lanes[0].Inbound, b.Stats().Lanes[0].Outbound
	if in.Messages != n || in.Bytes != n*(n-1)/2 || in.Sizes.Count != n || in.Sizes.Max != n-1 {
		t.Errorf("inbound: %+v", in)
	}
	if in.HoldTimes.Count != 3 {
		t.Errorf("%d frames were timed (want the first and every %dth)", in.HoldTimes.Count, holdEvery)
	}
	if out.Messages != n+1 || out.Live == 0 || out.Used < 100 || out.Size != MinData || out.Slots != 8 {
		t.Errorf("outbound: %+v", out)
	}
	if _, err := json.Marshal(a.Stats()); err != nil {
		t.Error(err)
	}
}

// A wait for the peer is in the histogram of the end that waited.
func TestWaitTimes(t *testing.T) {
	a, b := newPipe(t, smallConfig())
	p, c := b.Lane(0).Producer(), a.Lane(0).Consumer()
	done := make(chan error, 1)

	go func() { _, _, err := c.Recv(t.Context(), nil); done <- err }()
	await(c.mu.TryLock, c.mu.Unlock, &c.busy)
	must(t, p.Send(t.Context(), Header{}, nil))
	must(t, <-done)
	if n := a.Stats().Lanes[0].Inbound.WaitTimes.Count; n != 1 {
		t.Errorf("%d waits for a message", n)
	}

	a, b = newPipe(t, smallConfig())
	p, c = b.Lane(0).Producer(), a.Lane(0).Consumer()
	for range 2 {
		must(t, p.Send(t.Context(), Header{}, make([]byte, MinData/2)))
	}
	go func() { done <- p.Send(t.Context(), Header{}, make([]byte, MinData/2)) }()
	await(p.mu.TryLock, p.mu.Unlock, &p.busy)
	_, _, err := c.Recv(t.Context(), nil)
	must(t, err)
	must(t, <-done)
	if n := b.Stats().Lanes[0].Outbound.WaitTimes.Count; n != 1 {
		t.Errorf("%d waits for room", n)
	}
}

// await returns once a flag guarded by a lock is set.
func await(lock func() bool, unlock func(), flag *bool) {
	for set := false; !set; {
		if lock() {
			set = *flag
			unlock()
		}
		runtime.Gosched()
	}
}
