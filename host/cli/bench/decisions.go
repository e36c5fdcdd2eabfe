package bench

import (
	"context"
	"fmt"
	"net/url"
	"runtime"
	"strings"
	"time"

	"github.com/ringfence/ringfence/policies"
)

// manyRules is how many rules the policy has that is asked.
const manyRules = 10_000

// asked is a policy of many rules, and a request.
type asked struct {
	shape string
	rules func(write func(format string, args ...any))
	url   string
}

func hosts(write func(string, ...any)) {
	for i := range manyRules {
		write("    allow %q {\n      methods = [\"GET\"]\n      paths   = [\"/v1/**\"]\n    }\n", fmt.Sprintf("h%d.example.com", i))
	}
}

func paths(write func(string, ...any)) {
	write("    allow \"api.example.com\" {\n      methods = [\"GET\"]\n      paths = [\n")
	for i := range manyRules {
		write("        %q,\n", fmt.Sprintf("/repos/*/r%d/issues/**", i))
	}
	write("      ]\n    }\n")
}

var questions = []asked{
	{"hosts", hosts, "https://h9999.example.com/v1/messages/1"},
	{"paths", paths, "https://api.example.com/repos/x/r9999/issues/1/comments"},
	{"denied", paths, "https://api.example.com/repos/x/none/issues"},
}

// measureDecisions asks the policy as a broker does for every request of a guest.
func (b *bench) measureDecisions(ctx context.Context) (rows []Decision, err error) {
	for _, q := range questions {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		var text strings.Builder
		text.WriteString("plugin \"p\" {\n  source = \"TOOLS/echo.wasm\"\n  http {\n")
		q.rules(func(format string, args ...any) { fmt.Fprintf(&text, format, args...) })
		text.WriteString("  }\n}\n")
		policy, err := b.policy("rules", text.String())
		if err != nil {
			return nil, err
		}
		row, err := b.measureDecision(policy.Plugins()[0].HTTP(), q)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func (b *bench) measureDecision(grant *policies.HTTPGrant, q asked) (Decision, error) {
	if d := grant.Decide("GET", q.url); d.Allowed != (q.shape != "denied") {
		return Decision{}, fmt.Errorf("the policy of many %s answers %q", q.shape, d.Reason)
	}
	row := Decision{Rules: manyRules, Shape: q.shape}
	row.P50, row.P99, row.Allocations = b.often(func() { grant.Decide("GET", q.url) })
	row.Parse, _, _ = b.often(func() { _, _ = url.Parse(q.url) })
	return row, nil
}

// often does something for a while, in batches between two readings of the clock, and
// says how long once takes, in microseconds, and how many allocations it makes.
func (b *bench) often(f func()) (p50, p99, allocations float64) {
	const batch = 64
	var took []time.Duration
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for began := time.Now(); len(took) == 0 || time.Since(began) < b.slice; {
		at := time.Now()
		for range batch {
			f()
		}
		took = append(took, time.Since(at))
	}
	runtime.ReadMemStats(&after)
	// Those of took itself are few, and rounded off.
	allocations = float64((after.Mallocs - before.Mallocs) / uint64(len(took)*batch))
	return quantile(took, 50) / batch, quantile(took, 99) / batch, allocations
}
