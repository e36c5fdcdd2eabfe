package shmchan

import (
	"sync"
	"sync/atomic"
)

// parkingLot is where ends wait whose words lie in the heap of this process
// (Pipe), and all ends on systems without futexes: a wake is a note to the
// goroutine, and no thread is spent on it. It is exact for the same reason as a
// futex: who waits stands in the lot before it looks at the word for the last
// time, and who wakes has stored the word before it looks into the lot.
type parkingLot struct {
	parked atomic.Int64 // spares wakers the lock when nobody is here

	mu     sync.Mutex
	byWord map[*atomic.Uint64]*sleeper
}

// lot is the process's one: wakers know only the word.
var lot parkingLot

func (l *parkingLot) join(s *sleeper, word *atomic.Uint64, _ uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.byWord == nil {
		l.byWord = make(map[*atomic.Uint64]*sleeper)
	}
	l.byWord[word] = s
	l.parked.Add(1)
}

func (l *parkingLot) leave(s *sleeper, word *atomic.Uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.byWord, word)
	l.parked.Add(-1)
}

// wake reports whether somebody waited for the word.
func (l *parkingLot) wake(word *atomic.Uint64) bool {
	if l.parked.Load() == 0 {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.byWord[word]
	if s == nil {
		return false
	}
	s.signal()
	return true
}
