package launch

import (
	"context"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/ringfence/ringfence/host/internal/rundir"
)

// BenchmarkConnected measures what a user waits for: exec to the first answered
// health check, ours in the jail and without, against go-plugin as it comes, in
// turns within one run.
func BenchmarkConnected(b *testing.B) {
	dir, err := rundir.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer dir.Close()
	inside := inJail(b)
	var ours, jailed, bare []time.Duration
	for b.Loop() {
		began := time.Now()
		p, err := Start(context.Background(), Spec{Name: "good", Path: hostile, Args: []string{"good"}, Dir: dir})
		if err != nil {
			b.Fatal(err)
		}
		ours = append(ours, time.Since(began))
		p.Kill()

		s := Spec{Name: "good", Args: []string{"good"}, Dir: dir}
		inside.confine(&s)
		began = time.Now()
		if p, err = Start(context.Background(), s); err != nil {
			b.Fatal(err)
		}
		jailed = append(jailed, time.Since(began))
		p.Kill()

		began = time.Now()
		client := bareClient(os.TempDir(), "good")
		protocol, err := client.Client()
		if err == nil {
			err = protocol.Ping()
		}
		if err != nil {
			b.Fatal(err)
		}
		bare = append(bare, time.Since(began))
		client.Kill()
	}
	report := func(name string, d []time.Duration) float64 {
		slices.Sort(d)
		p50, p90 := d[len(d)/2], d[len(d)*9/10]
		b.ReportMetric(p50.Seconds()*1e3, name+"-p50-ms")
		b.ReportMetric(p90.Seconds()*1e3, name+"-p90-ms")
		return p50.Seconds()
	}
	unjailed := report("ours", ours)
	b.ReportMetric(unjailed/report("bare", bare), "ratio-p50")
	b.ReportMetric(report("jailed", jailed)/unjailed, "jailed-ratio-p50")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkKilled measures Kill until nothing of the process is left.
func BenchmarkKilled(b *testing.B) {
	dir, err := rundir.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer dir.Close()
	var took []time.Duration
	for b.Loop() {
		p, err := Start(context.Background(), Spec{Name: "good", Path: hostile, Args: []string{"good"}, Dir: dir})
		if err != nil {
			b.Fatal(err)
		}
		began := time.Now()
		p.Kill()
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(took[len(took)/2].Seconds()*1e3, "kill-p50-ms")
	b.ReportMetric(took[len(took)*9/10].Seconds()*1e3, "kill-p90-ms")
	b.ReportMetric(0, "ns/op")
}
