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
	"atomic": "two words", "futex": "two words, futex", "ring_spinning": "bare ring", "unix": "Unix socket", "memcpy": "memcpy, once",
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
			fmt.Fprintf(t, "\n%s, %s\tcall p50\tp99\tin the sandbox p50\tp99\tthan gRPC\t\n", what(tool), sizeName(size))
			for _, p := range r.Peers {
				if p.Tool == tool && p.Size == size {
					fmt.Fprintf(t, "  %s\t%s\t%s\t-\t-\t-\t%s\n", label(p.Way), micros(p.P50), micros(p.P99), bar(p.P50))
				}
			}
		}
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\t%s\t%.1f×\t%s\n", label(row.Way), micros(row.P50), micros(row.P99), micros(row.SandboxP50), micros(row.SandboxP99),
			row.SpeedUp, bar(row.SandboxP50))
	}
	r.printFloors(t, bar)
	r.printCold(t)
	r.printRatios(t)
	m := r.Machine
	fmt.Fprintf(t, "\n%s, %d CPUs, %s/%s, kernel %s, load %s, median of %d; bars are logarithmic\n", m.CPU, m.CPUs, m.OS, m.Arch, m.Kernel, m.LoadAtEnd, r.Rounds)
	return t.Flush()
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
		fmt.Fprintf(w, "\nA first call\tnew host\tof which the sandbox\t\t\t\t\n")
	}
	for _, c := range r.Cold {
		name := "  module to be compiled"
		if c.Cached {
			name = "  module compiled"
		}
		fmt.Fprintf(w, "%s, %.1f MB\t%s\t%s\t\t\t\t\n", name, float64(c.ModuleBytes)/1e6, micros(c.Host), micros(c.Sandbox))
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
	}
	return fmt.Sprintf("%.1f µs", us)
}
