// Package supervise keeps the sandboxes of a host: it starts one when a call
// needs it, hands it to one call at a time, keeps it for the next, replaces one
// that died or got stuck, and stays within the number that the policy allows.
package supervise

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// ErrClosed means that the pool is closed.
var ErrClosed = errors.New("the host is closed")

// ErrStuck means that every sandbox is held by somebody who waits for one more.
var ErrStuck = errors.New("every sandbox that the host may have waits for another one")

// grace is how long a sandbox whose call was abandoned may take to become idle
// before it is killed. A guest that waits in a host function gets away from it at
// once; one that computes cannot be stopped in any other way.
const grace = 200 * time.Millisecond

// ended asks without waiting.
var ended = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// Sandbox is what the pool needs to know of a sandbox.
type Sandbox interface {
	Done() <-chan struct{}
	// Idle waits until it is idle, or ctx ends. With a context that has ended it does
	// not wait at all.
	Idle(ctx context.Context) bool
	// Kill ends it and may wait until nothing of it is left.
	Kill()
}

// Pool holds sandboxes by plugin. It is safe for concurrent use.
type Pool[S Sandbox] struct {
	max int

	mu      sync.Mutex
	live    map[string]int // sandboxes by plugin, those being started included
	total   int
	leaving int        // of total: those that are being killed
	idle    []entry[S] // the longest unused first
	changed chan struct{}
	waiting int // sandboxes that are held by callers who wait for changed
	closed  bool
	failed  map[string]failure // by plugin: the last start that failed
	all     map[entry[S]]struct{}
	ending  sync.WaitGroup
}

// entry is one sandbox of a plugin. Sandboxes are pointers, so it can be compared.
type entry[S Sandbox] struct {
	plugin  string
	sandbox *S
}

// failure is a start that failed, the n-th of its plugin.
type failure struct {
	n   uint64
	err error
}

// New makes a pool of at most max sandboxes, all plugins together.
func New[S Sandbox](max int) *Pool[S] {
	return &Pool[S]{
		max:     max,
		live:    make(map[string]int),
		failed:  make(map[string]failure),
		all:     make(map[entry[S]]struct{}),
		changed: make(chan struct{}),
	}
}

// Lease is a sandbox in use.
type Lease[S Sandbox] struct {
	Sandbox S
	pool    *Pool[S]
	entry   entry[S]
}

// Acquire takes an idle sandbox of the plugin, or starts one when the plugin has
// fewer than max, or waits. When the host's own number is reached, an idle
// sandbox of another plugin makes room.
//
// The caller holds held sandboxes already, and gives them back no sooner than this
// one. Attack: a plugin calls another one from every sandbox that the host may
// have, and all of them wait for ever. So where every sandbox is held by somebody
// who waits, the last to come does not: the error is ErrStuck.
//
// A start that fails while the caller waits has failed for the caller too. Attack: a
// plugin hangs in its start until that is given up, and each of the calls that wait for
// it tries again, one after the other, each with a place among all calls.
func (p *Pool[S]) Acquire(ctx context.Context, plugin string, max, held int, start func(context.Context) (S, error)) (*Lease[S], error) {
	before := p.lastFailure(plugin).n
	for {
		lease, mayStart, changed, err := p.tryAcquire(plugin, max, held, before)
		switch {
		case err != nil:
			return nil, err
		case lease != nil:
			return lease, nil
		case mayStart:
			return p.start(ctx, plugin, start)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			p.giveUp(changed, held)
			return nil, fmt.Errorf("wait for a sandbox of %s: %w", plugin, context.Cause(ctx))
		}
	}
}

func (p *Pool[S]) lastFailure(plugin string) failure {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failed[plugin]
}

// giveUp takes a caller out of those who wait, unless signal has done so.
func (p *Pool[S]) giveUp(changed <-chan struct{}, held int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.changed == changed {
		p.waiting -= held
	}
}

// stuck says whether nobody would ever give a sandbox back, if who holds held of
// them waited as well. The caller holds mu.
func (p *Pool[S]) stuck(held int) bool {
	return held > 0 && !p.closed && p.leaving == 0 && p.waiting+held >= p.total-len(p.idle)
}

// tryAcquire takes an idle sandbox, or a place to start one; or it counts the caller
// among those who wait.
func (p *Pool[S]) tryAcquire(plugin string, max, held int, before uint64) (*Lease[S], bool, <-chan struct{}, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, false, nil, ErrClosed
	}
	for i := len(p.idle) - 1; i >= 0; i-- { // the most recent one has the warmest pages
		e := p.idle[i]
		if e.plugin != plugin {
			continue
		}
		p.idle = append(p.idle[:i], p.idle[i+1:]...)
		if isDead(*e.sandbox) {
			p.drop(e)
			continue
		}
		return &Lease[S]{Sandbox: *e.sandbox, pool: p, entry: e}, false, nil, nil
	}
	if last := p.failed[plugin]; last.n > before {
		return nil, false, nil, last.err
	}
	if p.live[plugin] < max && p.total-p.leaving >= p.max && len(p.idle) > 0 {
		e := p.idle[0]
		p.idle = p.idle[1:]
		p.drop(e)
	}
	if p.live[plugin] < max && p.total < p.max {
		p.live[plugin]++
		p.total++
		return nil, true, nil, nil
	}
	if p.stuck(held) {
		return nil, false, nil, ErrStuck
	}
	p.waiting += held
	return nil, false, p.changed, nil
}

func (p *Pool[S]) start(ctx context.Context, plugin string, start func(context.Context) (S, error)) (*Lease[S], error) {
	s, err := start(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		if ctx.Err() == nil { // else it is the caller who gave up
			p.failed[plugin] = failure{p.failed[plugin].n + 1, err}
		}
		p.vacate(plugin)
		return nil, err
	}
	if p.closed {
		p.mu.Unlock()
		s.Kill()
		p.mu.Lock()
		p.vacate(plugin)
		return nil, ErrClosed
	}
	e := entry[S]{plugin, &s}
	p.all[e] = struct{}{}
	return &Lease[S]{Sandbox: s, pool: p, entry: e}, nil
}

// Release gives the sandbox back. It does not wait: one that is still busy with
// an abandoned call gets a moment to end it, and is killed after that.
func (l *Lease[S]) Release(reusable bool) {
	p := l.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if !reusable || p.closed || isDead(l.Sandbox) {
		p.drop(l.entry)
		return
	}
	// Nearly all are idle by now. A goroutine for each would wake a thread, on the
	// processor that the sandbox needs to get ready for the next call.
	if l.Sandbox.Idle(ended) {
		p.idle = append(p.idle, l.entry)
		p.signal()
		return
	}
	p.ending.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), grace)
		defer cancel()
		idle := l.Sandbox.Idle(ctx)
		p.mu.Lock()
		defer p.mu.Unlock()
		if !idle || p.closed {
			p.drop(l.entry)
			return
		}
		p.idle = append(p.idle, l.entry)
		p.signal()
	})
}

// Evict drops the idle sandboxes for which bad says so. It is called with the
// pool locked and must not wait.
func (p *Pool[S]) Evict(bad func(plugin string, s S) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var stay []entry[S]
	for _, e := range p.idle {
		if bad(e.plugin, *e.sandbox) {
			p.drop(e)
		} else {
			stay = append(stay, e)
		}
	}
	p.idle = stay
}

// drop kills a sandbox and frees its place once it is killed. The caller holds
// mu; the killing is done without, since a sandbox can make it slow (a folder full
// of files, gigabytes of memory) and other plugins' calls must not wait for that.
// Dropping twice does nothing.
func (p *Pool[S]) drop(e entry[S]) {
	if _, ok := p.all[e]; !ok {
		return
	}
	delete(p.all, e)
	p.leaving++
	p.ending.Go(func() {
		(*e.sandbox).Kill()
		p.mu.Lock()
		defer p.mu.Unlock()
		p.leaving--
		p.vacate(e.plugin)
	})
}

func (p *Pool[S]) vacate(plugin string) {
	if p.live[plugin]--; p.live[plugin] == 0 {
		delete(p.live, plugin)
	}
	p.total--
	p.signal()
}

// signal wakes everyone who waits in Acquire.
func (p *Pool[S]) signal() {
	close(p.changed)
	p.waiting = 0 // each looks again, and counts itself if it waits again
	p.changed = make(chan struct{})
}

// Close kills all sandboxes, those in use too, and waits until they are gone or
// ctx ends.
func (p *Pool[S]) Close(ctx context.Context) error {
	p.mu.Lock()
	p.closed = true
	var dying []S
	for e := range p.all {
		dying = append(dying, *e.sandbox)
		p.drop(e)
	}
	p.idle = nil
	p.signal()
	p.mu.Unlock()
	p.ending.Wait() // bounded by grace and by what Kill waits
	for _, s := range dying {
		select {
		case <-s.Done():
		case <-ctx.Done():
			return fmt.Errorf("wait for sandboxes to end: %w", context.Cause(ctx))
		}
	}
	return nil
}

func isDead[S Sandbox](s S) bool {
	select {
	case <-s.Done():
		return true
	default:
		return false
	}
}

// Member is one sandbox at one moment.
type Member[S Sandbox] struct {
	Plugin  string
	Sandbox S
	Busy    bool // serves a call, or has not ended one yet
}

// Members lists the sandboxes that have started and not been dropped.
func (p *Pool[S]) Members() []Member[S] {
	p.mu.Lock()
	defer p.mu.Unlock()
	idle := make(map[entry[S]]bool, len(p.idle))
	for _, e := range p.idle {
		idle[e] = true
	}
	var members []Member[S]
	for e := range p.all {
		members = append(members, Member[S]{e.plugin, *e.sandbox, !idle[e]})
	}
	return members
}
