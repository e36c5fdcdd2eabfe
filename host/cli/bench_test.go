package cli_test

import (
	"encoding/json"
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/host/cli/bench"
)

func TestBenchMeasuresEveryWay(t *testing.T) {
	d := deploy(t, simple)
	svg := filepath.Join(d.dir, "calls.svg")
	peer := filepath.Join(d.dir, "peer")
	script := "#!/bin/sh\ntest \"$1 $2\" = '64,65536,1048576 60' && echo '[{\"way\":\"other\",\"tool\":\"head\",\"size\":64,\"calls\":7,\"p50_us\":1,\"p99_us\":2}]'\n"
	if err := os.WriteFile(peer, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	out := d.run("bench", "--quick", "--json", "--svg", svg, "--peer", peer)
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
	for way, want := range map[string]int{"grpc": 6, "ring": 6, "ring_copying": 6, "ring_blocking": 6, "ring_fresh": 6, "ring_paced": 1, "ring_fresh_paced": 1} {
		if ways[way] != want {
			t.Errorf("%d rows of %s, want %d", ways[way], way, want)
		}
	}
	floors := map[string]int{}
	for _, f := range r.Floors {
		floors[f.What]++
		if f.P50 <= 0 || f.P99 < f.P50 {
			t.Errorf("%+v", f)
		}
	}
	for what, want := range map[string]int{"atomic": 1, "futex": 1, "memcpy": 3, "ring_spinning": 3, "ring_blocking": 3, "unix": 3, "grpc": 3} {
		if floors[what] != want {
			t.Errorf("%d floors %s, want %d", floors[what], what, want)
		}
	}
	if len(r.Cold) != 2 || r.Cold[0].Cached || !r.Cold[1].Cached || r.Cold[0].Host <= r.Cold[1].Host || r.Cold[1].Sandbox <= 0 {
		t.Errorf("%+v", r.Cold)
	}
	if want := (bench.Peer{Way: "other", Tool: "head", Size: 64, Calls: 7, P50: 1, P99: 2}); len(r.Peers) != 1 || r.Peers[0] != want {
		t.Errorf("%+v", r.Peers)
	}
	if len(r.Ratios) != 11 {
		t.Errorf("%d ratios: %+v", len(r.Ratios), r.Ratios)
	}
	if b, err := os.ReadFile(svg); err != nil || xml.Unmarshal(b, new(struct{})) != nil || !strings.Contains(string(b), "ring, in place") || strings.Contains(string(b), "NaN") {
		t.Errorf("%v: %.200s", err, b)
	}
	var text strings.Builder
	if err := r.Print(&text); err != nil || !strings.Contains(text.String(), "ring, in place") {
		t.Errorf("%v: %s", err, text.String())
	}
}
