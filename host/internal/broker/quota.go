package broker

import (
	"errors"
	"sync"
)

// errNoSpace means that a plugin's bodies take all the space that they may.
var errNoSpace = errors.New("no space left in the plugin's quota")

// quota is how much of the host's memory and disk one plugin's bodies may take.
type quota struct {
	mu           sync.Mutex
	memory, disk int64 // what is left
}

// take takes n bytes of one kind, or nothing.
func (q *quota) take(kind *int64, n int64) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if *kind < n {
		return false
	}
	*kind -= n
	return true
}

// takeUpTo takes as much as there is, most at the most, and says how much that is.
func (q *quota) takeUpTo(kind *int64, most int64) int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := max(0, min(*kind, most))
	*kind -= n
	return n
}

func (q *quota) give(kind *int64, n int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	*kind += n
}
