package host

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ringfence/ringfence/host/internal/audit"
	"github.com/ringfence/ringfence/host/internal/sandbox"
)

// Stats is what a host has counted since it was opened. Counters only grow.
type Stats struct {
	// Plugins are all of the policy, by name, those that were never called too.
	Plugins []PluginStats `json:"plugins"`
}

// PluginStats is what the host has counted of one plugin.
type PluginStats struct {
	Plugin string `json:"plugin"`
	// Calls have ended, well or not. Failures are those that have not ended
	// well, by cause.
	Calls    uint64           `json:"calls"`
	Failures map[Cause]uint64 `json:"failures,omitempty"`
	// Busy is the time that calls have spent in sandboxes, together.
	Busy time.Duration `json:"busy_ns"`
	// Compilations have been tried.
	Compilations uint64 `json:"compilations"`
	// Launches are sandboxes that became ready, Restarts those of them that
	// came in the place of one that had ended, for whatever reason; and
	// LaunchFailures are sandboxes that did not become ready.
	Launches       uint64 `json:"launches"`
	Restarts       uint64 `json:"restarts"`
	LaunchFailures uint64 `json:"launch_failures"`
	// Deaths are sandboxes that became ready and that the host did not end by
	// its own choice, by cause, whether a call ran or not.
	Deaths map[Cause]uint64 `json:"deaths,omitempty"`
}

// Failed is how many calls have failed, for whatever cause.
func (s PluginStats) Failed() uint64 {
	var n uint64
	for _, c := range s.Failures {
		n += c
	}
	return n
}

// Stats reads the counters. It takes no lock that a call waits for; counters of
// a call that ends meanwhile may be in it in part.
func (h *Host) Stats() Stats {
	s := Stats{Plugins: make([]PluginStats, 0, len(h.plugins))}
	for name, p := range h.plugins {
		s.Plugins = append(s.Plugins, p.counters.read(name))
	}
	slices.SortFunc(s.Plugins, func(a, b PluginStats) int { return strings.Compare(a.Plugin, b.Plugin) })
	return s
}

// counters are those of one plugin.
type counters struct {
	calls, compilations, launches, restarts, launchFailures atomic.Uint64

	busy   atomic.Int64 // nanoseconds
	vacant atomic.Int64 // sandboxes that have ended and were not replaced yet

	failures, deaths byCause
}

// byCause counts by cause. There are some 20 causes, so it does not grow.
type byCause struct{ m sync.Map }

func (b *byCause) add(c Cause) {
	n, ok := b.m.Load(c)
	if !ok {
		n, _ = b.m.LoadOrStore(c, new(atomic.Uint64))
	}
	n.(*atomic.Uint64).Add(1)
}

func (b *byCause) read() map[Cause]uint64 {
	var m map[Cause]uint64
	b.m.Range(func(c, n any) bool {
		if m == nil {
			m = make(map[Cause]uint64)
		}
		m[c.(Cause)] = n.(*atomic.Uint64).Load()
		return true
	})
	return m
}

func (c *counters) read(plugin string) PluginStats {
	return PluginStats{
		Plugin: plugin, Calls: c.calls.Load(), Failures: c.failures.read(), Busy: time.Duration(c.busy.Load()),
		Compilations: c.compilations.Load(), Launches: c.launches.Load(), Restarts: c.restarts.Load(),
		LaunchFailures: c.launchFailures.Load(), Deaths: c.deaths.read(),
	}
}

// called counts a call that has ended.
func (c *counters) called(err error, busy time.Duration) {
	c.calls.Add(1)
	c.busy.Add(int64(busy))
	if err != nil {
		c.failures.add(CauseOf(err))
	}
}

// launched counts a sandbox that has become ready.
func (c *counters) launched() {
	c.launches.Add(1)
	for {
		n := c.vacant.Load()
		if n <= 0 {
			return
		}
		if c.vacant.CompareAndSwap(n, n-1) {
			c.restarts.Add(1)
			return
		}
	}
}

// follow puts the end of a sandbox on record, if the host did not want it: also
// when it comes while nobody calls.
func (p *plugin) follow(s *sandbox.Sandbox) {
	<-s.Done()
	err := s.End()
	p.counters.vacant.Add(1)
	if err == nil {
		return
	}
	cause := deathCause(err)
	p.counters.deaths.add(cause)
	_ = p.host.recorder.Record(audit.Entry{ // nothing depends on it
		Plugin: p.policy.Name(), Kind: "end", Decision: audit.Failed, Reason: err.Error(),
		Details: audit.Details{Cause: string(cause)},
	})
}

// idleInterval is how often sandboxes that nobody calls are looked at. A look is
// one system call for each.
const idleInterval = time.Second

// watchIdle ends sandboxes that compute while no call runs. Calls have their
// limit; without this one a process that was taken over could use the
// processors in between, for ever.
func (h *Host) watchIdle() {
	tick := time.NewTicker(idleInterval)
	defer tick.Stop()
	for {
		select {
		case <-h.ctx.Done():
			return
		case <-tick.C:
			h.pool.Evict(func(name string, s *sandbox.Sandbox) bool {
				p := h.plugins[name]
				return p != nil && s.StopIdle(p.policy.Limits().CPUTime)
			})
		}
	}
}
