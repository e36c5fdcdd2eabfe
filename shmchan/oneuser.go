package shmchan

import (
	"sync"
	"sync/atomic"
)

// oneUser finds the second goroutine at one end of a ring, beside the mutex that
// keeps the two from doing damage. It costs the rightful one a load on its way
// out.
//
// Who finds the lock taken knocks and waits for it. The lock may be held for a
// good reason: by Stats, by a Commit or Release on another goroutine, by the end
// of the channel. But if it is held by one that sends (or receives), that one
// hears the knock as it leaves, and the one that knocked was at this end at the
// same time as another: ErrConcurrentUse. Two that just miss each other, or of
// which the second has not knocked yet as the first leaves, are served in turn.
type oneUser struct {
	knocks atomic.Int32
	caught int32 // guarded by the lock
}

// enter takes the lock, or not, with an error.
func (t *oneUser) enter(mu *sync.Mutex) error {
	if mu.TryLock() {
		return nil
	}
	t.knocks.Add(1)
	mu.Lock()
	t.knocks.Add(-1)
	if t.caught > 0 {
		t.caught--
		mu.Unlock()
		return ErrConcurrentUse
	}
	return nil
}

// hear is for one that sends or receives, just before it leaves.
//
// Preconditions: the lock is held.
func (t *oneUser) hear() { t.caught = t.knocks.Load() }
