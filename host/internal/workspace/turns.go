package workspace

import (
	"context"
	"sync"
)

// identifier is a folder, whatever name it has.
type identifier struct{ device, ino uint64 }

// turns lets one change at a time into each folder. It stands before the lock that
// other hosts see too, which has to be polled: who waits in line gets in at once
// and in order.
type turns struct {
	mu    sync.Mutex
	lines map[identifier]*line
}

// line is who holds a folder and who waits for it.
type line struct {
	free  chan struct{} // holds a value while nobody has the turn
	users int           // the line goes with the last of them
}

// take waits for a folder's turn, and gives it back with done.
func (t *turns) take(ctx context.Context, id identifier) (done func(), err error) {
	l, leave := t.join(id)
	select {
	case <-l.free:
		return func() { l.free <- struct{}{}; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, ErrEnded
	}
}

// try takes a folder's turn if nobody has it.
func (t *turns) try(id identifier) (done func(), ok bool) {
	l, leave := t.join(id)
	select {
	case <-l.free:
		return func() { l.free <- struct{}{}; leave() }, true
	default:
		leave()
		return nil, false
	}
}

// join stands in a folder's line, until leave.
func (t *turns) join(id identifier) (l *line, leave func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.lines == nil {
		t.lines = make(map[identifier]*line)
	}
	l = t.lines[id]
	if l == nil {
		l = &line{free: make(chan struct{}, 1)}
		l.free <- struct{}{}
		t.lines[id] = l
	}
	l.users++
	return l, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if l.users--; l.users == 0 {
			delete(t.lines, id)
		}
	}
}
