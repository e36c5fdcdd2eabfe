package workspace

import (
	"fmt"
	"sync"
)

// quota is what a plugin may still add. What it removes it gets back, but never
// more than it had.
type quota struct {
	mu        sync.Mutex
	bytes     int64
	files     int
	usedBytes int64
	usedFiles int
}

func (q *quota) take(bytes int64, files int) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.usedBytes+bytes > q.bytes {
		return fmt.Errorf("%w: the workspace would have grown by %d bytes (maximum %d)", ErrLimit, q.usedBytes+bytes, q.bytes)
	}
	if q.usedFiles+files > q.files {
		return fmt.Errorf("%w: %d files would have been added (maximum %d)", ErrLimit, q.usedFiles+files, q.files)
	}
	q.usedBytes, q.usedFiles = max(0, q.usedBytes+bytes), max(0, q.usedFiles+files)
	return nil
}

func (q *quota) give(bytes int64, files int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.usedBytes, q.usedFiles = max(0, q.usedBytes-bytes), max(0, q.usedFiles-files)
}
