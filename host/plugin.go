package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/ringfence/ringfence/host/internal/audit"
	"github.com/ringfence/ringfence/host/internal/broker"
	"github.com/ringfence/ringfence/host/internal/manifest"
	"github.com/ringfence/ringfence/host/internal/modcache"
	"github.com/ringfence/ringfence/host/internal/module"
	"github.com/ringfence/ringfence/host/internal/native"
	"github.com/ringfence/ringfence/host/internal/sandbox"
	"github.com/ringfence/ringfence/host/internal/sealed"
	"github.com/ringfence/ringfence/policies"
)

const (
	// maxArtifact bounds compiled code; a Go module's is 4 to 5 times its size.
	maxArtifact = 1 << 30
	// sessionIdle is when an unused session instance ends.
	sessionIdle = 5 * time.Minute
)

// compileMemory is what a compiling process may use, in bytes. Cranelift needs
// about 60 bytes per byte of a Go module. Tests lower it.
var compileMemory uint64 = 4 << 30

// plugin is one plugin of the policy and what the host has learned of it.
type plugin struct {
	host   *Host
	policy *policies.Plugin
	broker *broker.Broker

	// preparing lets one goroutine at a time prepare the module. It is a
	// channel because waiting for it must end with the caller's context.
	preparing chan struct{}

	counters counters

	mu       sync.Mutex
	prepared *prepared
	tools    []manifest.Tool
	extras   manifest.Extras
}

// prepared is a module that is ready to be loaded, or a native program that is
// ready to be started.
type prepared struct {
	code   *os.File // sealed
	size   int64
	native *sandbox.Factory // of the program, nil for a module
}

func newPlugin(h *Host, p *policies.Plugin) *plugin {
	made := &plugin{host: h, policy: p, preparing: make(chan struct{}, 1)}
	made.broker = newBroker(made)
	return made
}

// prepare returns the compiled module, from memory, from the cache, or compiled
// now.
func (p *plugin) prepare(ctx context.Context) (*prepared, error) {
	select {
	case p.preparing <- struct{}{}:
		defer func() { <-p.preparing }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if ready := p.ready(); ready != nil {
		return ready, nil
	}
	ready, err := p.prepareKind(ctx)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.prepared = ready
	return ready, nil
}

// prepareKind prepares what the source turns out to be.
func (p *plugin) prepareKind(ctx context.Context) (*prepared, error) {
	kind, err := native.Kind(p.policy.Source())
	if err != nil {
		return nil, p.unfit(err)
	}
	if err := p.policy.Fits(kind); err != nil {
		return nil, &CallError{Kind: ErrModule, Tool: p.policy.Name(), Detail: err.Error(), Err: err}
	}
	if kind == policies.KindNative {
		return p.prepareNative()
	}
	return p.prepareModule(ctx)
}

func (p *plugin) prepareModule(ctx context.Context) (*prepared, error) {
	// The module is read and judged while the host's first call stages the program.
	var m *module.Module
	var unfit error
	read := make(chan struct{})
	go func() {
		defer close(read)
		m, unfit = module.Load(p.policy.Source(), p.policy.SHA256(), p.policy.Limits().Memory)
	}()
	factory, build, err := p.host.factory.get()
	<-read
	switch {
	case err != nil:
		return nil, err
	case unfit != nil:
		return nil, p.unfit(unfit)
	}
	key := modcache.Inputs{
		Module: m.Digest, Engine: p.policy.Engine(), Build: build,
		MemoryPages: m.MemoryPages, TableElements: module.MaxTableElements,
	}.Key()
	code, size, err := p.compiled(ctx, factory, key, m)
	if err != nil {
		return nil, err
	}
	return &prepared{code: code, size: size}, nil
}

func (p *plugin) ready() *prepared {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.prepared
}

// compiled looks into the cache, and compiles under the entry's lock when it has
// nothing, so that a second host waits instead of doing the same work.
func (p *plugin) compiled(ctx context.Context, factory *sandbox.Factory, key modcache.Key, m *module.Module) (*os.File, int64, error) {
	code, size, err := p.host.cache.Get(key)
	if !errors.Is(err, modcache.ErrMiss) {
		return code, size, err
	}
	unlock, err := p.host.cache.Lock(ctx, key)
	if err != nil {
		return nil, 0, err
	}
	defer unlock()
	code, size, err = p.host.cache.Get(key)
	if !errors.Is(err, modcache.ErrMiss) {
		return code, size, err
	}
	p.host.log.Debug("compiling", "plugin", p.policy.Name(), "why", err)
	if err := p.compile(ctx, factory, key, m); err != nil {
		return nil, 0, err
	}
	return p.host.cache.Get(key)
}

func (p *plugin) compile(ctx context.Context, factory *sandbox.Factory, key modcache.Key, m *module.Module) (err error) {
	name, started := p.policy.Name(), time.Now()
	report := func(pr Progress) {
		pr.Plugin, pr.Bytes = name, len(m.Limited)
		p.host.opts.Progress(pr)
	}
	report(Progress{Phase: "compiling"})
	defer func() { report(Progress{Done: true, Err: err}) }()
	p.counters.compilations.Add(1)
	defer func() {
		entry := audit.Entry{Plugin: name, Kind: "compile", Decision: audit.Allow, Details: audit.Details{Duration: time.Since(started)}}
		if err != nil {
			entry.Decision, entry.Reason = audit.Failed, err.Error()
		}
		err = errors.Join(err, p.host.record(name, entry))
	}()
	source, err := sealed.Bytes("module", m.Limited)
	if err != nil {
		return err
	}
	defer source.Close()
	return p.host.cache.Put(key, modcache.Label{Plugin: name, Engine: p.policy.Engine(), Source: p.policy.Source()}, func(w io.Writer) error {
		return factory.Compile(ctx, sandbox.CompileJob{
			Plugin:      name,
			Engine:      p.policy.Engine(),
			Module:      source,
			ModuleSize:  int64(len(m.Limited)),
			Timeout:     p.host.opts.CompileTimeout,
			MaxMemory:   compileMemory,
			MaxArtifact: maxArtifact,
			Progress:    func(phase string) { report(Progress{Phase: phase}) },
		}, w)
	})
}

// start starts a sandbox of the plugin.
func (p *plugin) start(ctx context.Context) (*sandbox.Sandbox, error) {
	ready, err := p.prepare(ctx)
	if err != nil {
		return nil, err
	}
	limits := p.policy.Limits()
	plan := sandbox.Plan{
		Plugin: p.policy.Name(), Engine: p.policy.Engine(),
		Artifact: ready.code, ArtifactSize: ready.size,
		GuestMemory: limits.Memory,
		Session:     p.policy.Lifetime() == policies.LifetimeSession,
		SessionIdle: sessionIdle,
		NoWindows:   p.host.opts.NoWindows,
		Ring:        sandbox.Ring{Bytes: limits.Ring, Largest: limits.RingMax, NoSpin: p.host.opts.NoSpin, MessageTimeout: limits.MessageTimeout, Rate: limits.RingRate},
	}
	for _, v := range p.policy.Env() {
		plan.Env = append(plan.Env, [2]string{v.Name, v.Value})
	}
	started := time.Now()
	s, err := p.launch(ctx, ready, plan)
	entry := audit.Entry{Plugin: p.policy.Name(), Kind: "launch", Decision: audit.Allow, Details: audit.Details{Duration: time.Since(started)}}
	if err != nil {
		p.counters.launchFailures.Add(1)
		entry.Decision, entry.Reason = audit.Failed, err.Error()
		return nil, errors.Join(err, p.host.record(p.policy.Name(), entry))
	}
	p.counters.launched()
	p.host.follow.Go(func() { p.follow(s) })
	p.host.idle.Do(func() { p.host.follow.Go(p.host.watchIdle) })
	if err := errors.Join(p.learn(s.Tools, s.Extras), p.host.record(p.policy.Name(), entry)); err != nil {
		s.Kill()
		return nil, err
	}
	return s, nil
}

func (p *plugin) launch(ctx context.Context, ready *prepared, plan sandbox.Plan) (*sandbox.Sandbox, error) {
	if ready.native != nil {
		return p.startNative(ctx, ready.native, plan)
	}
	factory, _, err := p.host.factory.get()
	if err != nil {
		return nil, err
	}
	return factory.Start(ctx, plan)
}

// learn remembers what a plugin offers. A guest that tells every instance
// something else could pass a check as one tool and run as another.
func (p *plugin) learn(tools []manifest.Tool, extras manifest.Extras) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.tools == nil {
		if err := p.named(tools); err != nil {
			return err
		}
		p.tools, p.extras = tools, extras
		return nil
	}
	if !slices.EqualFunc(p.tools, tools, manifest.Tool.Equal) || !p.extras.Equal(extras) {
		return &CallError{Kind: ErrResult, Tool: p.policy.Name(), Detail: "the plugin describes other tools than before"}
	}
	return nil
}

// known returns the tools, if a sandbox of the plugin has ever run.
func (p *plugin) known() []manifest.Tool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tools
}

// offered returns what the plugin offers beside tools.
func (p *plugin) offered() manifest.Extras {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.extras
}

// named refuses a policy that speaks of tools which the plugin does not have: a
// misspelt one would be left with its author's word.
func (p *plugin) named(tools []manifest.Tool) error {
	for _, hints := range p.policy.Tools() {
		if _, err := find(p.policy.Name(), hints.Tool, tools); err != nil {
			return &CallError{Kind: ErrModule, Tool: p.policy.Name(), Detail: fmt.Sprintf("%s: the policy speaks of a tool %q, but %v", hints.DeclRange(), hints.Tool, err)}
		}
	}
	return nil
}

func (p *plugin) close() {
	p.broker.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.prepared != nil {
		if p.prepared.code != nil {
			p.prepared.code.Close()
		}
		p.prepared = nil
	}
}

// find returns the index of a tool. An empty name means the only one.
func find(plugin, name string, tools []manifest.Tool) (int, error) {
	if name == "" && len(tools) == 1 {
		return 0, nil
	}
	for i, t := range tools {
		if t.Name == name {
			return i, nil
		}
	}
	var names []string
	for _, t := range tools {
		names = append(names, plugin+"."+t.Name)
	}
	return 0, fmt.Errorf("%s offers %s", plugin, enumerate(names))
}
