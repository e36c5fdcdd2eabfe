package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/policies"
)

const policyText = `
ringfence {
  max_sandboxes = 16
}

plugin "session" {
  source   = "TOOLS/echo.wasm"
  engine   = "wasmer"
  lifetime = "session"
}

plugin "wazero" {
  source   = "TOOLS/echo.wasm"
  engine   = "wazero"
  lifetime = "session"
}

plugin "fresh" {
  source   = "TOOLS/echo.wasm"
  engine   = "wasmer"
  lifetime = "call"
}
`

// way is how a call can travel.
type way struct {
	name string
	// host is that of the way: one of hostKinds.
	host, plugin string
	// pause is what lies between two calls: longer than an instance takes to be made.
	// Such a way is measured with the smallest arguments only.
	pause time.Duration
}

const pause = 40 * time.Millisecond

// hostKinds are the hosts, by what sets them apart from one by default.
var hostKinds = map[string]func(*host.Options){
	"ring":     func(*host.Options) {},
	"grpc":     func(o *host.Options) { o.NoRing = true },
	"copying":  func(o *host.Options) { o.NoWindows = true },
	"blocking": func(o *host.Options) { o.NoSpin = true },
}

var ways = []way{
	// Over gRPC, the portable way.
	{"grpc", "grpc", "session", 0},
	// Over the ring, without windows.
	{"ring_copying", "copying", "session", 0},
	// In place, in windows of the guest's memory, as it is by default.
	{"ring", "ring", "session", 0},
	// The same, and whoever waits sleeps, on both sides.
	{"ring_blocking", "blocking", "session", 0},
	// A fresh instance for each call, calls as fast as these get ready.
	{"ring_fresh", "ring", "fresh", 0},
	// Both lifetimes, with pauses in which the next instance gets ready.
	{"ring_paced", "ring", "session", pause},
	{"ring_fresh_paced", "ring", "fresh", pause},
	// The other engine.
	{"grpc_wazero", "grpc", "wazero", 0},
	{"ring_wazero", "ring", "wazero", 0},
	{"ring_wazero_blocking", "blocking", "wazero", 0},
}

// engine is the engine of the way's plugin.
func (w way) engine() string {
	if w.plugin == "wazero" {
		return "wazero"
	}
	return "wasmer"
}

// baseline is the way over gRPC into the same engine.
func (w way) baseline() int {
	if w.engine() == "wazero" {
		return wayNamed("grpc_wazero")
	}
	return wayNamed("grpc")
}

func wayNamed(name string) int {
	return slices.IndexFunc(ways, func(w way) bool { return w.name == name })
}

// cell is one way, tool and size, round by round.
type cell struct {
	way                    int
	tool                   string
	size                   int
	calls                  int
	p50, p99               []float64
	sandboxP50, sandboxP99 []float64
}

// open starts the hosts, with the sandboxes of their ways running.
func (b *bench) open(ctx context.Context) error {
	tools, err := filepath.Abs(b.Tools)
	if err != nil {
		return err
	}
	b.Tools = tools
	if b.dir, err = os.MkdirTemp("", "ringfence-bench-"); err != nil {
		return err
	}
	policy, err := b.policy("bench", policyText)
	if err != nil {
		return err
	}
	for _, way := range ways {
		if b.CallsOnly && way.engine() != "wasmer" {
			continue
		}
		if err := b.openWay(ctx, policy, way); err != nil {
			return err
		}
	}
	b.jail.Level = string(policy.Settings().Isolation)
	b.jail.Layers, err = b.hosts["ring"].Layers()
	return err
}

func (b *bench) openWay(ctx context.Context, policy *policies.Policy, w way) error {
	h := b.hosts[w.host]
	if h == nil {
		options := b.Options
		hostKinds[w.host](&options)
		var err error
		if h, err = host.Open(policy, options); err != nil {
			return err
		}
		b.hosts[w.host] = h
	}
	r, err := h.Call(ctx, w.plugin+".head", nil)
	if err != nil {
		return err
	}
	want := "ring"
	if w.host == "grpc" {
		want = "grpc"
	}
	if r.Transport != want {
		return fmt.Errorf("calls go over %s, not %s: %s", r.Transport, want, h.Status()[0].Reason)
	}
	return nil
}

// policy loads a policy in which TOOLS stands for the folder of the tools.
func (b *bench) policy(name, text string) (*policies.Policy, error) {
	path := filepath.Join(b.dir, name+".hcl")
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(text, "TOOLS", filepath.ToSlash(b.Tools))), 0o600); err != nil {
		return nil, err
	}
	return policies.Load(path, policies.Options{})
}

func (b *bench) close() error {
	var errs []error
	for _, h := range b.hosts {
		errs = append(errs, h.Close())
	}
	if b.dir != "" {
		errs = append(errs, os.RemoveAll(b.dir))
	}
	return errors.Join(errs...)
}

func (b *bench) measureCalls(ctx context.Context) error {
	for _, tool := range []string{"head", "echo"} {
		for _, size := range b.sizes {
			for way := range ways {
				paced := ways[way].pause > 0
				if paced && (tool != "head" || size != b.sizes[0] || b.CallsOnly) || b.CallsOnly && ways[way].engine() != "wasmer" {
					continue
				}
				if err := b.measure(ctx, way, tool, size); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// fewest is how many calls a cell has at least.
const fewest = 5

// measure makes calls for a while, one after the other.
func (b *bench) measure(ctx context.Context, way int, tool string, size int) error {
	name, arguments, slice := ways[way].plugin+"."+tool, arguments(size), b.slice
	if ways[way].pause > 0 {
		slice = 10 * ways[way].pause
	}
	var whole, inside []time.Duration
	for began := time.Now(); len(whole) < fewest || time.Since(began) < slice; {
		if err := wait(ctx, ways[way].pause); err != nil {
			return err
		}
		at := time.Now()
		r, err := b.hosts[ways[way].host].Call(ctx, name, arguments)
		if err != nil {
			return fmt.Errorf("%s with %d bytes over %s: %w", tool, size, ways[way].name, err)
		}
		whole, inside = append(whole, time.Since(at)), append(inside, r.Duration)
	}
	c := b.cell(way, tool, size)
	c.calls += len(whole)
	c.p50, c.p99 = append(c.p50, quantile(whole, 50)), append(c.p99, quantile(whole, 99))
	c.sandboxP50, c.sandboxP99 = append(c.sandboxP50, quantile(inside, 50)), append(c.sandboxP99, quantile(inside, 99))
	return nil
}

// arguments are an object of that many bytes.
func arguments(size int) []byte {
	const frame = `{"text":""}`
	return []byte(`{"text":"` + strings.Repeat("x", size-len(frame)) + `"}`)
}

func wait(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return nil
	}
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (b *bench) cell(way int, tool string, size int) *cell {
	for _, c := range b.cells {
		if c.way == way && c.tool == tool && c.size == size {
			return c
		}
	}
	c := &cell{way: way, tool: tool, size: size}
	b.cells = append(b.cells, c)
	return c
}

func (b *bench) rows() []Row {
	rows := []Row{}
	for _, c := range b.cells {
		grpc := median(b.cell(ways[c.way].baseline(), c.tool, c.size).sandboxP50)
		row := Row{
			Way: ways[c.way].name, Engine: ways[c.way].engine(), Tool: c.tool, Size: c.size, Calls: c.calls,
			P50: median(c.p50), P99: median(c.p99), SandboxP50: median(c.sandboxP50), SandboxP99: median(c.sandboxP99),
		}
		if ways[c.way].pause == 0 { // gRPC was not measured with pauses
			row.SpeedUp = grpc / row.SandboxP50
		}
		rows = append(rows, row)
	}
	return rows
}
