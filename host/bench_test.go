package host_test

import (
	"errors"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/ringfence/ringfence/host"
)

// percentiles runs f b.N times and reports how long it took, p50 and p99.
func percentiles(b *testing.B, f func()) (p50 time.Duration) {
	b.Helper()
	times := make([]time.Duration, 0, b.N)
	for b.Loop() {
		began := time.Now()
		f()
		times = append(times, time.Since(began))
	}
	slices.Sort(times)
	p50 = times[len(times)/2]
	b.ReportMetric(float64(p50.Microseconds()), "p50-µs")
	b.ReportMetric(float64(times[len(times)*99/100].Microseconds()), "p99-µs")
	return p50
}

// BenchmarkCall measures a small call into a sandboxed guest and back, beside
// its baseline: a unary gRPC call over a Unix socket within this process, which
// is less than any sandbox behind gRPC can cost.
func BenchmarkCall(b *testing.B) {
	var base time.Duration
	b.Run("baseline=grpc", func(b *testing.B) { base = percentiles(b, grpcBaseline(b)) })
	for _, lifetime := range []string{"call", "session"} {
		b.Run("lifetime="+lifetime, func(b *testing.B) {
			h := open(b, strings.Replace(rogue, `plugin "rogue" {`, "plugin \"rogue\" {\n  lifetime = \""+lifetime+"\"", 1), host.Options{})
			call := func() {
				if _, err := h.Call(b.Context(), "rogue.shout", []byte(`{"bytes": 64}`)); err != nil {
					b.Fatal(err)
				}
			}
			call()
			p50 := percentiles(b, call)
			if base > 0 {
				b.ReportMetric(float64(p50)/float64(base), "×baseline")
			}
		})
	}
}

// BenchmarkColdStart measures what a call waits for when the plugin's sandbox has
// to be started first, its compiled module being in the cache. The baseline is
// the same wait when the sandbox is there.
func BenchmarkColdStart(b *testing.B) {
	h := open(b, rogue, host.Options{})
	var cold, warm []time.Duration
	ready := func() time.Duration {
		r, err := h.Call(b.Context(), "rogue.look", nil)
		if err != nil {
			b.Fatal(err)
		}
		return r.Ready
	}
	for b.Loop() {
		// A stack overflow costs the sandbox; the next call starts another one.
		if _, err := h.Call(b.Context(), "rogue.overflow", nil); !errors.Is(err, host.ErrCrashed) {
			b.Fatal(err)
		}
		cold, warm = append(cold, ready()), append(warm, ready())
	}
	slices.Sort(cold)
	slices.Sort(warm)
	b.ReportMetric(float64(cold[len(cold)/2].Microseconds()), "cold-p50-µs")
	b.ReportMetric(float64(cold[len(cold)*99/100].Microseconds()), "cold-p99-µs")
	b.ReportMetric(float64(warm[len(warm)/2].Microseconds()), "warm-p50-µs")
}

func grpcBaseline(b *testing.B) func() {
	b.Helper()
	listener, err := net.Listen("unix", filepath.Join(b.TempDir(), "s"))
	if err != nil {
		b.Fatal(err)
	}
	server := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(server, health.NewServer())
	go server.Serve(listener)
	conn, err := grpc.NewClient("unix:"+listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		conn.Close()
		server.Stop()
	})
	client := grpc_health_v1.NewHealthClient(conn)
	return func() {
		if _, err := client.Check(b.Context(), &grpc_health_v1.HealthCheckRequest{}); err != nil {
			b.Fatal(err)
		}
	}
}
