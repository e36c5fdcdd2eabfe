package launch

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/ringfence/ringfence/host/internal/dynlink"
	"github.com/ringfence/ringfence/host/internal/jail"
	"github.com/ringfence/ringfence/host/internal/rundir"
	"github.com/ringfence/ringfence/host/internal/stage"
	"github.com/ringfence/ringfence/internal/built"
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

// BenchmarkSandbox measures the same with the real sandbox program and its
// engine's library: what the jail adds to a launch that a user waits for.
func BenchmarkSandbox(b *testing.B) {
	dir, err := rundir.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer dir.Close()
	inside := inJail(b)
	program, loader := sandboxProgram(b)
	null, err := os.Open(os.DevNull)
	if err != nil {
		b.Fatal(err)
	}
	defer null.Close()
	names := []string{"unjailed", "jailed", "ready", "noticed"}
	took := make([][]time.Duration, len(names))
	for b.Loop() {
		for n, name := range names {
			s := Spec{Name: "wasm", Path: program, Dir: dir, Files: map[int]*os.File{4: null}, Memory: 1 << 30, CPUs: 2}
			if name != "unjailed" {
				s.Jail, s.Loader = inside.jail, loader
			}
			if name == "ready" || name == "noticed" {
				s.Ready = settled(b, inside.jail)
			}
			s.Notices = name == "noticed"
			began := time.Now()
			p, err := Start(context.Background(), s)
			if err != nil {
				b.Fatal(err)
			}
			took[n] = append(took[n], time.Since(began))
			p.Kill()
			if s.Ready != nil {
				s.Ready.Close()
			}
		}
	}
	for n, name := range names {
		slices.Sort(took[n])
		for _, percentile := range []int{10, 50, 90} {
			b.ReportMetric(took[n][len(took[n])*percentile/100].Seconds()*1e3, fmt.Sprintf("%s-p%d-ms", name, percentile))
		}
	}
	for _, percentile := range []int{10, 50} {
		at := len(took[0]) * percentile / 100
		for n, name := range names[1:] {
			b.ReportMetric(took[n+1][at].Seconds()/took[0][at].Seconds(), fmt.Sprintf("%s-ratio-p%d", name, percentile))
		}
	}
	b.ReportMetric(0, "ns/op")
}

// settled is a process at hand, as it is some time after the last start: the
// trampoline waits for its orders.
func settled(b *testing.B, j *jail.Jail) *Ready {
	b.Helper()
	r := Keep(j)
	one := r.take()
	if one == nil {
		b.Fatal("none was made")
	}
	for before := time.Duration(-1); ; {
		now, err := one.child.cpuTime()
		if err != nil {
			b.Fatal(err)
		}
		if now == before {
			break
		}
		before = now
		time.Sleep(20 * time.Millisecond)
	}
	r.next = make(chan *blank, 1)
	r.next <- one
	return r
}

// sandboxProgram stages the built sandbox program as hosts do.
func sandboxProgram(b *testing.B) (program, loader string) {
	b.Helper()
	path := filepath.Join(built.Bin(b), "ringfence-plugin-wasm")
	needs, err := dynlink.Of(path, filepath.Join(filepath.Dir(path), jail.LibraryFolder))
	if err != nil {
		b.Fatal(err)
	}
	items := []stage.Item{{Path: path, Exec: true}, {Path: needs.Loader, As: needs.Loader[1:], Exec: true}, {Folder: true, As: jail.SocketFolder}}
	for name, from := range needs.Libraries {
		items = append(items, stage.Item{Path: from, As: filepath.Join(jail.LibraryFolder, name)})
	}
	into := filepath.Join(b.TempDir(), "program")
	if err := os.Mkdir(into, 0o700); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = filepath.WalkDir(into, func(p string, _ os.DirEntry, _ error) error { return os.Chmod(p, 0o700) })
	})
	files, err := stage.Stage(into, items...)
	if err != nil {
		b.Fatal(err)
	}
	return files[0].Path, needs.Loader
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
