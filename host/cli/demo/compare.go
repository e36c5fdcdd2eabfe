package demo

import (
	"context"
	"fmt"
	"io"

	"github.com/ringfence/ringfence/host/cli/bench"
)

// compare shows how the calls have travelled, and what that is worth.
func (d *show) compare(ctx context.Context) error {
	d.title("How calls travel: arguments and results through memory that both processes share.")
	for _, s := range d.host.Status() {
		calls, why := "calls", ""
		if s.Calls == 1 {
			calls = "call"
		}
		if s.Reason != "" {
			why = ": " + s.Reason
		}
		d.note("%-8s process %d, %s, %d %s%s", s.Plugin, s.PID, s.Transport, s.Calls, calls, why)
		d.report.Transport = s.Transport
	}
	if d.report.Transport != "ring" {
		d.note("There is no ring on this machine, so there is nothing to compare.")
		return nil
	}
	r, err := bench.Run(ctx, bench.Config{Out: io.Discard, Tools: d.Tools, Options: d.Options, Quick: true, CallsOnly: true})
	if err != nil {
		return err
	}
	d.report.SpeedUp = map[int]float64{}
	d.title("The same call over gRPC and over the ring, between host and sandbox, median on this machine:")
	for _, row := range r.Rows {
		if row.Tool == "echo" && row.Way == "ring" {
			d.report.SpeedUp[row.Size] = row.SpeedUp
			d.note("%9s  gRPC %s  ring %s  %.0f times", size(row.Size), micros(row.SandboxP50*row.SpeedUp), micros(row.SandboxP50), row.SpeedUp)
		}
	}
	d.note("`ringfence bench` measures more of it.")
	return nil
}

func size(n int) string {
	if n >= 1<<20 {
		return fmt.Sprintf("%d MiB", n>>20)
	} else if n >= 1<<10 {
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d B", n)
}

func micros(us float64) string {
	if us >= 1000 {
		return fmt.Sprintf("%7.1f ms", us/1000)
	}
	return fmt.Sprintf("%7.0f µs", us)
}
