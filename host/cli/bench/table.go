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
	"grpc": "gRPC", "ring_copying": "ring, copying", "ring": "ring, in place", "ring_fresh": "ring, fresh instance",
}

const barWidth = 30

// Print writes the report as tables with bars, one for each size. A bar's length
// is the logarithm of the time in the sandbox, so that both ends can be seen.
func (r *Report) Print(w io.Writer) error {
	longest := 1.0
	for _, row := range r.Rows {
		longest = max(longest, row.SandboxP50)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	tool, size := "", 0
	for _, row := range r.Rows {
		if row.Tool != tool || row.Size != size {
			tool, size = row.Tool, row.Size
			fmt.Fprintf(t, "\n%s, %s\tcall p50\tp99\tin the sandbox p50\tthan gRPC\t\n", what(tool), bytes(size))
		}
		bar := int(barWidth * math.Log(1+row.SandboxP50) / math.Log(1+longest))
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\t%s\t%s\n", labels[row.Way], micros(row.P50), micros(row.P99), micros(row.SandboxP50),
			fmt.Sprintf("%.1f×", row.SpeedUp), strings.Repeat("▇", max(1, bar)))
	}
	fmt.Fprintf(t, "\n%s, %d CPUs, median of %d; bars are logarithmic\n", r.System, r.CPUs, r.Rounds)
	return t.Flush()
}

func what(tool string) string {
	if tool == "head" {
		return "A guest that reads the first byte"
	}
	return "A guest that returns its arguments"
}

func bytes(n int) string {
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
