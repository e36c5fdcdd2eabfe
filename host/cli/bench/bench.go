// Package bench measures what a call costs on this machine: the whole of it, as a
// program that embeds package host sees it, over each way that calls can travel,
// in one run. Only ratios within a run mean anything on another machine.
package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/policies"
)

// Config says what is measured, and where progress goes.
type Config struct {
	// Out gets one line for each round, and the table.
	Out io.Writer
	// Tools is the folder of the first-party .wasm files.
	Tools string
	// Options go to the hosts, but for how calls travel.
	Options host.Options
	// Quick measures fewer sizes, and once.
	Quick bool
}

// Report is what was measured. The names in its JSON form are stable.
type Report struct {
	System string `json:"system"` // "linux/amd64"
	CPUs   int    `json:"cpus"`
	Rounds int    `json:"rounds"` // each way and size is measured once a round
	Rows   []Row  `json:"rows"`
}

// Row is one way of a call with arguments of one size.
type Row struct {
	// Way is how calls travel: "grpc", or over the ring: "ring" (in place, in
	// windows of the guest's memory), "ring_copying" (without windows), or
	// "ring_fresh" (a fresh instance for each call, calls as fast as these get
	// ready).
	Way string `json:"way"`
	// Tool is "head", which reads the first byte of its arguments, or "echo", which
	// returns them.
	Tool string `json:"tool"`
	Size int    `json:"size"` // bytes of arguments
	// Calls is how many were measured. The times are medians of the rounds, in
	// microseconds: of the whole call, and of the part of it between the host and
	// the sandbox.
	Calls      int     `json:"calls"`
	P50        float64 `json:"p50_us"`
	P99        float64 `json:"p99_us"`
	SandboxP50 float64 `json:"sandbox_p50_us"`
	// SpeedUp is how many times the median call over gRPC takes as long, in the
	// sandbox part, in the same run.
	SpeedUp float64 `json:"speed_up_over_grpc"`
}

const policyText = `
plugin "session" {
  source   = "TOOLS/echo.wasm"
  lifetime = "session"
}

plugin "fresh" {
  source   = "TOOLS/echo.wasm"
  lifetime = "call"
}
`

// ways are how a call can travel.
var ways = []struct {
	name, plugin string
	options      func(*host.Options)
	transport    string
}{
	{"grpc", "session", func(o *host.Options) { o.NoRing = true }, "grpc"},
	{"ring_copying", "session", func(o *host.Options) { o.NoWindows = true }, "ring"},
	{"ring", "session", func(*host.Options) {}, "ring"},
	{"ring_fresh", "fresh", func(*host.Options) {}, "ring"},
}

// Run measures.
func Run(ctx context.Context, c Config) (_ *Report, err error) {
	b := &bench{Config: c}
	sizes, slice := []int{64, 4 << 10, 64 << 10, 1 << 20, 4 << 20}, 150*time.Millisecond
	rounds := 3
	if c.Quick {
		sizes, slice, rounds = []int{64, 64 << 10, 1 << 20}, 60*time.Millisecond, 1
	}
	defer func() { err = errors.Join(err, b.close()) }()
	if err := b.open(ctx); err != nil {
		return nil, err
	}
	for round := range rounds {
		fmt.Fprintf(c.Out, "round %d of %d\n", round+1, rounds)
		for _, tool := range []string{"head", "echo"} {
			for _, size := range sizes {
				for way := range ways {
					if err := b.measure(ctx, way, tool, size, slice); err != nil {
						return nil, err
					}
				}
			}
		}
	}
	return &Report{System: runtime.GOOS + "/" + runtime.GOARCH, CPUs: runtime.NumCPU(), Rounds: rounds, Rows: b.rows()}, nil
}

type bench struct {
	Config
	hosts []*host.Host // by way
	cells []*cell
}

// cell is one way, tool and size, round by round.
type cell struct {
	way        int
	tool       string
	size       int
	calls      int
	p50, p99   []float64
	sandboxP50 []float64
}

// open starts a host for each way, with its sandbox running.
func (b *bench) open(ctx context.Context) error {
	tools, err := filepath.Abs(b.Tools)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "ringfence-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "bench.hcl")
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(policyText, "TOOLS", filepath.ToSlash(tools))), 0o600); err != nil {
		return err
	}
	policy, err := policies.Load(path, policies.Options{})
	if err != nil {
		return err
	}
	for _, way := range ways {
		options := b.Options
		way.options(&options)
		h, err := host.Open(policy, options)
		if err != nil {
			return err
		}
		b.hosts = append(b.hosts, h)
		r, err := h.Call(ctx, way.plugin+".head", nil)
		if err != nil {
			return err
		}
		if r.Transport != way.transport {
			return fmt.Errorf("calls go over %s, not %s: %s", r.Transport, way.transport, h.Status()[0].Reason)
		}
	}
	return nil
}

func (b *bench) close() error {
	var errs []error
	for _, h := range b.hosts {
		errs = append(errs, h.Close())
	}
	return errors.Join(errs...)
}

// fewest is how many calls a cell has at least.
const fewest = 5

// measure makes calls for a while, one after the other.
func (b *bench) measure(ctx context.Context, way int, tool string, size int, slice time.Duration) error {
	const frame = `{"text":""}`
	arguments := []byte(`{"text":"` + strings.Repeat("x", size-len(frame)) + `"}`)
	name := ways[way].plugin + "." + tool
	var whole, inside []time.Duration
	for began := time.Now(); len(whole) < fewest || time.Since(began) < slice; {
		at := time.Now()
		r, err := b.hosts[way].Call(ctx, name, arguments)
		if err != nil {
			return fmt.Errorf("%s with %d bytes over %s: %w", tool, size, ways[way].name, err)
		}
		whole, inside = append(whole, time.Since(at)), append(inside, r.Duration)
	}
	c := b.cell(way, tool, size)
	c.calls += len(whole)
	c.p50, c.p99 = append(c.p50, quantile(whole, 50)), append(c.p99, quantile(whole, 99))
	c.sandboxP50 = append(c.sandboxP50, quantile(inside, 50))
	return nil
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

// quantile sorts, and gives microseconds.
func quantile(all []time.Duration, percent int) float64 {
	slices.Sort(all)
	return float64(all[(len(all)-1)*percent/100].Nanoseconds()) / 1000
}

func median(rounds []float64) float64 {
	sorted := slices.Sorted(slices.Values(rounds))
	return sorted[len(sorted)/2]
}

func (b *bench) rows() []Row {
	rows := []Row{}
	for _, c := range b.cells {
		grpc := median(b.cell(0, c.tool, c.size).sandboxP50)
		row := Row{
			Way: ways[c.way].name, Tool: c.tool, Size: c.size, Calls: c.calls,
			P50: median(c.p50), P99: median(c.p99), SandboxP50: median(c.sandboxP50),
		}
		row.SpeedUp = grpc / row.SandboxP50
		rows = append(rows, row)
	}
	return rows
}
