//go:build !linux || !(amd64 || arm64)

package shmchan

import (
	"sync/atomic"
	"time"
)

// Without futexes everything waits in the parking lot: there is no memory to
// share with another process here, only Pipe.

type poolSlot struct{ benched bool }

func (s *sleeper) parkOnce(ev event, seen uint64, d time.Duration) bool {
	return s.parkOn(&lot, ev, seen, d)
}

// wakeWord wakes whoever waits for this end's own word. The caller has stored
// the word and then seen the peer's parked flag set.
func wakeWord(word *atomic.Uint64) { lot.wake(word) }

func wakeAll(word *atomic.Uint64) { lot.wake(word) }
