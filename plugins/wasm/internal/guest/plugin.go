package guest

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/ringfence/ringfence/pluginkit/wire"
	"github.com/ringfence/ringfence/plugins/wasm/internal/engine"
)

// aheadTime is how long a guest may take between calls: to free the arguments
// of the last call, and to get ready for the next one. Nobody waits for it, so
// nobody else would notice that it loops.
const aheadTime = 10 * time.Second

// repageTime is the same while larger memory takes the place of its windows, which the
// host waits for with a call of somebody's, and gives ten seconds in all.
const repageTime = 4 * time.Second

// Config is what a plugin's instances get.
type Config struct {
	Module      engine.Module
	Environ     []string // NAME=value
	MemoryLimit uint64   // bytes, as it was written into the module
	// Session keeps an instance for many calls; else each call gets a fresh one.
	Session bool
	// Pages become windows of each instance's memory; nil: bytes are copied.
	Pages *Pages
	// Idle is how long a session's instance lives without a call; 0 is for ever.
	Idle time.Duration
	// Stuck is called when the guest loops between calls. Nothing can end such
	// a guest from within, so it has to end the process.
	Stuck func()
}

// Plugin is a loaded module and its instances, of which there is one at a time:
// the next one is made when the last one is gone, so that memory is needed for
// one only.
type Plugin struct {
	config Config
	// turn is held by whoever uses next or runs the guest.
	turn chan struct{}
	next *Instance
	idle *time.Timer // runs while a session has an instance
	used time.Time   // when its last call ended
	worn atomic.Bool
	// windowed says that next has windows.
	windowed atomic.Bool
}

// New makes a plugin. Nothing of the guest runs yet.
func New(config Config) *Plugin {
	return &Plugin{config: config, turn: make(chan struct{}, 1)}
}

func (p *Plugin) take(ctx context.Context) bool {
	// Between a session's calls the turn is free: ctx, which makes a channel and a
	// timer for who waits, need not be asked.
	select {
	case p.turn <- struct{}{}:
		return true
	default:
	}
	select {
	case p.turn <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (p *Plugin) give() { <-p.turn }

// Describe makes the first instance, and returns what the guest says about
// itself. The instance serves the first call.
func (p *Plugin) Describe(ctx context.Context) ([]byte, *Failure) {
	if !p.take(ctx) {
		return nil, canceled()
	}
	defer p.give()
	i, failure := p.fresh(ctx)
	if failure != nil {
		return nil, failure
	}
	manifest, failure := i.describe(ctx)
	if failure != nil {
		i.close()
		return nil, failure
	}
	p.next = i
	return manifest, nil
}

func canceled() *Failure {
	return failuref(wire.FailureKind_FAILURE_CANCELED, "the call was cancelled")
}

func (p *Plugin) fresh(ctx context.Context) (*Instance, *Failure) {
	i, failure := newInstance(ctx, p.config.Module, p.config.Environ, p.config.MemoryLimit, p.config.Pages)
	p.windowed.Store(failure == nil && i.windows.room != 0)
	return i, failure
}

// Worn says that the process has made as many instances as it should.
func (p *Plugin) Worn() bool {
	return p.worn.Load()
}

// Begin starts a call. It waits for an instance that is being made ready. After
// it has returned a call, End must be called. The arguments are written with
// Argument, unless the instance has windows and placer says where in them they are.
func (p *Plugin) Begin(ctx context.Context, capabilities Capabilities, tool uint32, length uint64, placer Placer) (*Call, *Failure) {
	if !p.take(ctx) {
		return nil, canceled()
	}
	if p.next == nil {
		var failure *Failure
		if p.next, failure = p.fresh(ctx); failure != nil {
			p.next = nil
			p.give()
			return nil, failure
		}
	}
	var placed *Placed
	if placer != nil && p.next.windows.room != 0 {
		placed = placer.Place()
	}
	call, failure := p.next.begin(ctx, capabilities, tool, length, placed)
	if failure != nil {
		p.End(&Call{instance: p.next})
		return nil, failure
	}
	return call, nil
}

// End ends a call whose answer is out, and gets ready for the next one in the
// background.
func (p *Plugin) End(call *Call) { go p.Settle(call) }

// Settle is End for a caller that would only wait for the next call: it comes back
// when the instance is ready for it, unless that takes a new one, which is made in
// the background. A session's instance only has the arguments to free, and not
// even that when they were in a window; a guest that loops there ends the process.
func (p *Plugin) Settle(call *Call) {
	if !p.config.Session || call.instance.dead {
		go p.renew(call)
		return
	}
	if call.inPlace || call.pointer == 0 {
		call.finish(context.Background(), true)
	} else {
		p.watched(aheadTime, func(ctx context.Context) { call.finish(ctx, true) })
	}
	if call.instance.spent() {
		go p.renew(call)
		return
	}
	p.arm()
	p.give()
}

// watched runs the guest between calls, for so long at most.
func (p *Plugin) watched(most time.Duration, run func(ctx context.Context)) {
	ctx, cancel := context.WithTimeout(context.Background(), most)
	defer cancel()
	if p.config.Stuck != nil {
		defer time.AfterFunc(most+time.Second, p.config.Stuck).Stop()
	}
	run(ctx)
}

// renew replaces the instance of a call that has ended.
func (p *Plugin) renew(call *Call) {
	defer p.give()
	p.watched(aheadTime, func(ctx context.Context) {
		call.finish(ctx, false)
		p.next.close()
		if p.config.Module.Worn() {
			p.worn.Store(true)
			p.next = nil
			return
		}
		p.next, _ = p.fresh(ctx) // a failure shows again when the next call tries
	})
}

// spent says that a session's instance must not serve another call: it trapped,
// or its memory, which never shrinks, is above three quarters of the limit.
func (i *Instance) spent() bool {
	return i.dead || i.engine.Memory().Size() > i.memoryLimit/4*3
}

// arm ends a session's instance later, if no call comes. The timer is not touched
// by calls: it looks at when the last one ended. The caller holds the turn.
func (p *Plugin) arm() {
	if p.config.Idle <= 0 {
		return
	}
	p.used = time.Now()
	if p.idle == nil {
		p.idle = time.AfterFunc(p.config.Idle, p.rest)
	}
}

// rest ends the instance if it was idle for long enough.
func (p *Plugin) rest() {
	p.turn <- struct{}{}
	defer p.give()
	if p.idle == nil { // the plugin is closed
		return
	}
	if left := p.config.Idle - time.Since(p.used); p.next != nil && left > 0 {
		p.idle.Reset(left)
		return
	}
	p.idle = nil
	if p.next != nil {
		p.next.close()
		p.next = nil
	}
}

// Close waits for the guest to be still, and ends its instance.
func (p *Plugin) Close(ctx context.Context) bool {
	if !p.take(ctx) {
		return false
	}
	defer p.give()
	if p.idle != nil {
		p.idle.Stop()
		p.idle = nil
	}
	if p.next != nil {
		p.next.close()
		p.next = nil
	}
	return true
}
