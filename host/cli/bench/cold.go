package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/ringfence/ringfence/host"
)

const coldPolicy = `
ringfence {
  state_dir = %[1]q
}

plugin "a" {
  source = %[2]q
  engine = %[3]q
}

plugin "b" {
  source = %[2]q
  engine = %[3]q
}
`

// largeModule is the size of the larger module, in bytes.
const largeModule = 10_000_000

// start is a kind of first call.
type start struct {
	engine string
	large  bool // of the larger module
	cached bool
}

// measureCold measures first calls: of a host that has never seen the module, and so
// compiles it, and of one that finds it compiled. The second plugin's first call
// shows what a sandbox costs in a host that runs. Each kind of module and engine then
// makes instances for a while.
func (b *bench) measureCold(ctx context.Context) error {
	for _, engine := range engines {
		for _, large := range []bool{false, true} {
			if large && b.Quick {
				continue
			}
			if err := b.measureStarts(ctx, engine, large); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *bench) measureStarts(ctx context.Context, engine string, large bool) error {
	uncached := start{engine, large, false}
	state := filepath.Join(b.dir, fmt.Sprintf("state-%s-%t-%d", engine, large, len(b.cold[uncached])))
	kinds := []bool{false, true, true, true}
	if large && len(b.cold[uncached]) > 0 { // a minute's work: once is enough
		state, kinds = filepath.Join(b.dir, fmt.Sprintf("state-%s-%t-0", engine, large)), kinds[1:]
	}
	module, size, err := b.module(large)
	if err != nil {
		return err
	}
	for i, cached := range kinds {
		kind := start{engine, large, cached}
		b.progress("  %s, %.1f MB, compiled before: %t", engine, float64(size)/1e6, cached)
		policy, err := b.policy("cold", fmt.Sprintf(coldPolicy, state, module, engine))
		if err != nil {
			return err
		}
		err = b.firstCalls(ctx, func() (*host.Host, error) { return host.Open(policy, b.Options) }, func(h *host.Host, c Cold) error {
			c.Engine, c.ModuleBytes, c.Cached = engine, size, cached
			b.cold[kind] = append(b.cold[kind], c)
			if i < len(kinds)-1 {
				return nil
			}
			made, err := b.makeInstances(ctx, h)
			made.Engine, made.ModuleBytes = engine, size
			b.instances[kind] = append(b.instances[kind], made)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// module is the file of one of the two modules, and its size.
func (b *bench) module(large bool) (path string, size int64, err error) {
	path = filepath.Join(b.Tools, "echo.wasm")
	if large {
		small := path
		path = filepath.Join(b.dir, "larger.wasm")
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			if err := writeLarger(small, path, largeModule); err != nil {
				return "", 0, err
			}
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", 0, err
	}
	return path, info.Size(), nil
}

// firstCalls opens a host and makes the first calls of both plugins.
func (b *bench) firstCalls(ctx context.Context, open func() (*host.Host, error), then func(*host.Host, Cold) error) (err error) {
	began := time.Now()
	h, err := open()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	if _, err = h.Call(ctx, "a.head", arguments(64)); err != nil {
		return err
	}
	c := Cold{Host: micro(time.Since(began))}
	r, err := h.Call(ctx, "b.head", arguments(64))
	if err != nil {
		return err
	}
	c.Sandbox = micro(r.Ready)
	return then(h, c)
}

// makeInstances calls as fast as instances get ready.
func (b *bench) makeInstances(ctx context.Context, h *host.Host) (i Instances, err error) {
	var took []time.Duration
	began := time.Now()
	for len(took) < fewest || time.Since(began) < 2*b.slice {
		at := time.Now()
		if _, err := h.Call(ctx, "a.head", arguments(64)); err != nil {
			return i, err
		}
		took = append(took, time.Since(at))
	}
	i.Calls, i.PerSecond = len(took), float64(len(took))/time.Since(began).Seconds()
	i.P50, i.P99 = quantile(took, 50), quantile(took, 99)
	return i, nil
}

func micro(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

// starts lists the kinds in the order of the report.
func starts() (all []start) {
	for _, engine := range engines {
		for _, large := range []bool{false, true} {
			all = append(all, start{engine, large, false}, start{engine, large, true})
		}
	}
	return all
}

func (b *bench) coldRows() (rows []Cold) {
	for _, kind := range starts() {
		all := b.cold[kind]
		if len(all) == 0 {
			continue
		}
		figures := func(of func(Cold) float64) (median, p99 float64) {
			var sorted []float64
			for _, c := range all {
				sorted = append(sorted, of(c))
			}
			slices.Sort(sorted)
			return sorted[(len(sorted)-1)/2], sorted[(len(sorted)*99+99)/100-1]
		}
		row := Cold{Engine: kind.engine, ModuleBytes: all[0].ModuleBytes, Cached: kind.cached, Runs: len(all)}
		row.Host, row.HostP99 = figures(func(c Cold) float64 { return c.Host })
		row.Sandbox, row.SandboxP99 = figures(func(c Cold) float64 { return c.Sandbox })
		rows = append(rows, row)
	}
	return rows
}

func (b *bench) instanceRows() (rows []Instances) {
	for _, kind := range starts() {
		all := b.instances[kind]
		if len(all) == 0 {
			continue
		}
		row := Instances{
			Engine: kind.engine, ModuleBytes: all[0].ModuleBytes, PerSecond: medianOf(all, func(i Instances) float64 { return i.PerSecond }),
			P50: medianOf(all, func(i Instances) float64 { return i.P50 }), P99: medianOf(all, func(i Instances) float64 { return i.P99 }),
		}
		for _, one := range all {
			row.Calls += one.Calls
		}
		rows = append(rows, row)
	}
	return rows
}
