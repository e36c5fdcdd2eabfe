package bench

import (
	"fmt"
	"io"
	"math"
	"strings"
	"text/tabwriter"
)

// labels are what the ways are called in the table.
var labels = map[string]string{
	"grpc": "gRPC", "ring_copying": "ring, copying", "ring": "ring, in place", "ring_blocking": "ring, in place, blocking",
	"ring_fresh": "ring, fresh instance", "ring_paced": "ring, after a pause", "ring_fresh_paced": "ring, fresh, after a pause",
	"grpc_wazero": "gRPC, wazero", "ring_wazero": "ring, wazero", "ring_wazero_blocking": "ring, wazero, blocking",
	"atomic": "two words", "futex": "two words, futex", "ring_spinning": "bare ring", "unix": "Unix socket", "memcpy": "memcpy, once",
	"ring_gapped": "bare ring, with the gaps of calls", "ring_blocking_gapped": "bare ring, blocking, with the gaps of calls",
	"engine_wasmer": "a call within wasmer, one process", "engine_wazero": "a call within wazero, one process",
}

func label(way string) string {
	if l := labels[way]; l != "" {
		return l
	}
	return way
}

const barWidth = 30

// Print writes the report as tables with bars, one for each size. A bar's length
// is the logarithm of the time in the sandbox, so that both ends can be seen.
func (r *Report) Print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	longest := r.longest()
	bar := func(us float64) string {
		return strings.Repeat("▇", max(1, int(barWidth*math.Log(1+us)/math.Log(1+longest))))
	}
	tool, size := "", 0
	for _, row := range r.Rows {
		if row.Tool != tool || row.Size != size {
			tool, size = row.Tool, row.Size
			fmt.Fprintf(t, "\n%s, %s\tcall p50\tp99\thost to sandbox and back p50\tp99\tgRPC's speed\t\n", what(tool), sizeName(size))
			for _, p := range r.Peers {
				if p.Tool == tool && p.Size == size {
					fmt.Fprintf(t, "  %s\t%s\t%s\t-\t-\t-\t%s\n", label(p.Way), micros(p.P50), micros(p.P99), bar(p.P50))
				}
			}
		}
		speed := "-"
		if row.SpeedUp > 0 {
			speed = fmt.Sprintf("%.1f×", row.SpeedUp)
		}
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\t%s\t%s\t%s\n", label(row.Way), micros(row.P50), micros(row.P99), micros(row.SandboxP50), micros(row.SandboxP99),
			speed, bar(row.SandboxP50))
	}
	r.printFloors(t, bar)
	r.printCold(t)
	r.printDecisions(t)
	r.printIdle(t)
	r.printRatios(t)
	fmt.Fprintf(t, "\n%s; median of %d; bars are p50 between host and sandbox (a peer's: of the call), logarithmic\nSandboxes in the jail, level %s: %s\n", r.Machine, r.Rounds, r.Jail.Level, r.Jail)
	return t.Flush()
}

// String lists the layers, for people.
func (j Jail) String() string {
	var on, off []string
	for _, l := range j.Layers {
		if l.On {
			on = append(on, l.Name)
		} else {
			off = append(off, l.Name)
		}
	}
	text := strings.Join(on, ", ")
	if len(off) > 0 {
		text += "; not: " + strings.Join(off, ", ")
	}
	return text
}

func (r *Report) longest() float64 {
	longest := 1.0
	for _, row := range r.Rows {
		longest = max(longest, row.SandboxP50)
	}
	for _, p := range r.Peers {
		longest = max(longest, p.P50)
	}
	return longest
}

func (r *Report) printFloors(w io.Writer, bar func(float64) string) {
	if len(r.Floors) > 0 {
		fmt.Fprintf(w, "\nA round trip between two processes\tp50\tp99\t\t\t\t\n")
	}
	for _, f := range r.Floors {
		name := label(f.What)
		if f.What == "ring_blocking" {
			name = "bare ring, blocking"
		}
		if f.Size > 0 {
			name += ", " + sizeName(f.Size)
		}
		fmt.Fprintf(w, "  %s\t%s\t%s\t\t\t\t%s\n", name, micros(f.P50), micros(f.P99), bar(f.P50))
	}
}

func (r *Report) printCold(w io.Writer) {
	if len(r.Cold) > 0 {
		fmt.Fprintf(w, "\nA first call\tnew host p50\tp99\tanother sandbox p50\tp99\t\t\n")
	}
	for _, c := range r.Cold {
		name := "module to be compiled"
		if c.Cached {
			name = "module compiled"
		}
		fmt.Fprintf(w, "  %s, %s\t%s\t%s\t%s\t%s\t\t\n", name, moduleName(c.Engine, c.ModuleBytes), micros(c.Host), micros(c.HostP99), micros(c.Sandbox), micros(c.SandboxP99))
	}
	if len(r.Instances) > 0 {
		fmt.Fprintf(w, "\nFresh instances, call after call\tcall p50\tp99\ta second\t\t\t\n")
	}
	for _, i := range r.Instances {
		fmt.Fprintf(w, "  %s\t%s\t%s\t%.0f\t\t\t\n", moduleName(i.Engine, i.ModuleBytes), micros(i.P50), micros(i.P99), i.PerSecond)
	}
}

func moduleName(engine string, bytes int64) string {
	return fmt.Sprintf("%s, %.1f MB", engine, float64(bytes)/1e6)
}

func (r *Report) printDecisions(w io.Writer) {
	if len(r.Decisions) > 0 {
		fmt.Fprintf(w, "\nA decision of the policy\tp50\tp99\tallocations\tnet/url alone\t\t\n")
	}
	for _, d := range r.Decisions {
		fmt.Fprintf(w, "  %d rules, %s\t%s\t%s\t%.0f\t%s\t\t\n", d.Rules, d.Shape, micros(d.P50), micros(d.P99), d.Allocations, micros(d.Parse))
	}
}

func (r *Report) printIdle(w io.Writer) {
	if i := r.Idle; i != nil {
		fmt.Fprintf(w, "\n%d idle sandboxes\tp50\tp99\t\t\t\t\n  private memory of each\t%.1f MiB\t%.1f MiB\t\t\t\t\n  start of each\t%s\t%s\t\t\t\t\n  CPU of all in %.0f s\t%.2f %%\t\t\t\t\t\n",
			i.Sandboxes, i.Private, i.PrivateP99, micros(i.Start), micros(i.StartP99), i.Seconds, i.CPU)
	}
}

func (r *Report) printRatios(w io.Writer) {
	if len(r.Ratios) > 0 {
		fmt.Fprintf(w, "\nAgainst what was aimed at\t\taim\t\t\t\t\n")
	}
	for _, q := range r.Ratios {
		verdict := "not held"
		switch {
		case q.Disturbed:
			verdict = "machine too busy to say"
		case q.Held:
			verdict = "held"
		}
		fmt.Fprintf(w, "  %s\t%.2f\t%s %g\t%s\t\t\t\n", q.What, q.Measured, q.Relation, q.Bound, verdict)
	}
}

func what(tool string) string {
	if tool == "head" {
		return "A guest that reads the first byte"
	}
	return "A guest that returns its arguments"
}

func sizeName(n int) string {
	switch {
	case n >= 1<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<10:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d B", n)
}

func micros(us float64) string {
	switch {
	case us >= 10_000:
		return fmt.Sprintf("%.0f ms", us/1000)
	case us >= 1000:
		return fmt.Sprintf("%.1f ms", us/1000)
	case us >= 100:
		return fmt.Sprintf("%.0f µs", us)
	case us >= 1:
		return fmt.Sprintf("%.1f µs", us)
	}
	return fmt.Sprintf("%.2f µs", us)
}
