package sandbox

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/ringfence/ringfence/host/internal/transport"
)

// BenchmarkCall is a call into a guest in a process of its own and back, over
// each transport: the guest returns its arguments (echo) or reads their first byte
// only (head). Without a jail, which adds nothing to a call but its filter.
func BenchmarkCall(b *testing.B) {
	for _, way := range []struct {
		name   string
		noRing bool
		plan   Plan
	}{
		{"grpc", true, Plan{Session: true}},
		{"copying", false, Plan{Session: true, NoWindows: true}},
		{"windows", false, Plan{Session: true}},
		{"call", false, Plan{}},
	} {
		transportName := "ring"
		if way.noRing {
			transportName = "grpc"
		}
		for _, tool := range []string{"head", "echo"} {
			for _, size := range []int{64, 4 << 10, 64 << 10, 1 << 20} {
				b.Run(fmt.Sprintf("%s/%s/%d", way.name, tool, size), func(b *testing.B) {
					s := start(b, windows, way.noRing, way.plan, transportName)
					call := transport.Call{Tool: s.tool(tool), Arguments: text(size - 11), MaxResult: guestMemory}
					var took []time.Duration
					b.ReportAllocs()
					for b.Loop() {
						began := time.Now()
						if _, err := s.Call(b.Context(), call, time.Minute, &desk{}); err != nil {
							b.Fatal(err)
						}
						took = append(took, time.Since(began))
					}
					slices.Sort(took)
					b.ReportMetric(float64(took[len(took)/2].Nanoseconds())/1e3, "p50-µs")
					b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds())/1e3, "p99-µs")
				})
			}
		}
	}
}
