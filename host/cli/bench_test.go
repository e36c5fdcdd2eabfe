package cli_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/host/cli/bench"
)

func TestBenchMeasuresEveryWay(t *testing.T) {
	d := deploy(t, simple)
	out := d.run("bench", "--quick", "--json")
	var r bench.Report
	if err := json.Unmarshal([]byte(out.stdout), &r); err != nil || out.code != 0 {
		t.Fatalf("%v: %+v", err, out)
	}
	ways := map[string]int{}
	for _, row := range r.Rows {
		ways[row.Way]++
		if row.Calls < 5 || row.P50 <= 0 || row.P99 < row.P50 || row.SandboxP50 <= 0 || row.SandboxP50 > row.P50 || row.SpeedUp <= 0 {
			t.Errorf("%+v", row)
		}
	}
	for _, way := range []string{"grpc", "ring", "ring_copying", "ring_fresh"} {
		if ways[way] != 6 {
			t.Errorf("%d rows of %s, want 6", ways[way], way)
		}
	}
	var text strings.Builder
	if err := r.Print(&text); err != nil || !strings.Contains(text.String(), "ring, in place") {
		t.Errorf("%v: %s", err, text.String())
	}
}
