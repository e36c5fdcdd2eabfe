package shmchan

import "sync/atomic"

// WaitStats counts how one end of a ring has waited. Waits that end within
// their first looks are counted in batches, a little late.
type WaitStats struct {
	Spins    uint64 `json:"spins"`    // waits that ended while spinning
	Yields   uint64 `json:"yields"`   // waits that ended while yielding
	Parks    uint64 `json:"parks"`    // times that the end went to sleep
	Wakes    uint64 `json:"wakes"`    // times that the peer woke it
	Spurious uint64 `json:"spurious"` // of those, with nothing changed
	Paused   uint64 `json:"paused"`   // pauses because the peer woke too often
}

// waitCounts has one writer, the goroutine that waits.
type waitCounts struct {
	spins, yields, parks, wakes, spurious, paused tally
}

type tally struct{ n atomic.Uint64 }

func (t *tally) add(n uint64) {
	if n > 0 {
		t.n.Store(t.n.Load() + n)
	}
}

// stats may be called by any goroutine.
func (s *sleeper) stats() WaitStats {
	c := &s.counts
	return WaitStats{
		Spins: c.spins.n.Load(), Yields: c.yields.n.Load(), Parks: c.parks.n.Load(),
		Wakes: c.wakes.n.Load(), Spurious: c.spurious.n.Load(), Paused: c.paused.n.Load(),
	}
}
