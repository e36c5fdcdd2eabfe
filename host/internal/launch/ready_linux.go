package launch

import (
	"sync"

	"github.com/ringfence/ringfence/host/internal/jail"
)

// Ready keeps one process at hand for the next start in a jail: forked, in its
// namespaces and control groups, waiting for its orders. That is most of what a
// jail adds to a start (BenchmarkSandbox has both). The process is ours, knows
// nothing of anybody's, and dies with the host. All methods may be called at
// once.
type Ready struct {
	jail *jail.Jail

	mu     sync.Mutex
	next   chan *blank // gets one, or nil if it could not be made; nil: none is coming
	closed bool
}

// Keep begins to make the first one.
func Keep(j *jail.Jail) *Ready {
	r := &Ready{jail: j}
	r.refill()
	return r
}

// refill makes another one if there is none, without waiting for it.
func (r *Ready) refill() {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || r.next != nil {
		return
	}
	next := make(chan *blank, 1)
	r.next = next
	go func() {
		b, err := newBlank(r.jail)
		if err != nil {
			b = nil // whoever takes it makes another, and gets the error
		}
		next <- b
	}()
}

// take returns the one that is ready or nearly so, or nil.
func (r *Ready) take() *blank {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	next := r.next
	r.next = nil
	r.mu.Unlock()
	if next == nil {
		return nil
	}
	b := <-next
	if b == nil {
		return nil
	}
	select {
	case <-b.child.dead:
		b.drop()
		return nil
	default:
		return b
	}
}

// Close ends the one that nobody needs any more.
func (r *Ready) Close() {
	if r == nil {
		return
	}
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	if b := r.take(); b != nil {
		b.drop()
	}
}

// blank is a forked trampoline in a cell that is not furnished.
type blank struct {
	child *child
	cell  *jail.Cell
}

func newBlank(j *jail.Jail) (*blank, error) {
	cell, err := j.Blank()
	if err != nil {
		return nil, err
	}
	cmd := cell.Command()
	child, err := startChild(forkSpec{path: cmd.Path, argv: cmd.Args, env: cmd.Env, fds: cmd.Files, sys: cmd.Sys, cell: cell})
	if err != nil {
		cell.Close()
		return nil, err
	}
	cell.Started(child.pid)
	return &blank{child, cell}, nil
}

// drop ends it.
func (b *blank) drop() {
	b.child.kill(nil)
	<-b.child.gone
	b.cell.Close()
}
