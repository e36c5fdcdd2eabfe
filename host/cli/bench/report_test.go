package bench

import (
	"maps"
	"math"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestDocumentedFields holds the table of docs/performance.md against the report:
// scripts read these names, and what they read has to be written down.
func TestDocumentedFields(t *testing.T) {
	got, want := documented(t), map[string]bool{}
	fields(reflect.TypeFor[Report](), "", want)
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if !got[name] {
			t.Errorf("docs/performance.md does not list %s", name)
		}
		delete(got, name)
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		t.Errorf("docs/performance.md lists %s, which no report has", name)
	}
}

// fields adds the paths of the values within a type, such as "rows[].way".
func fields(in reflect.Type, path string, into map[string]bool) {
	switch in.Kind() {
	case reflect.Pointer:
		fields(in.Elem(), path, into)
	case reflect.Slice:
		fields(in.Elem(), path+"[]", into)
	case reflect.Struct:
		for i := range in.NumField() {
			name, _, _ := strings.Cut(in.Field(i).Tag.Get("json"), ",")
			fields(in.Field(i).Type, strings.TrimPrefix(path+"."+name, "."), into)
		}
	default:
		into[path] = true
	}
}

// documented are the names in the first column of the table of fields: a row names
// one with its path, and others of the same object without.
func documented(t *testing.T) map[string]bool {
	t.Helper()
	text, err := os.ReadFile("../../../docs/performance.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), "| field | meaning |\n|---|---|\n")
	if !found {
		t.Fatal("docs/performance.md has no table of fields")
	}
	names := map[string]bool{}
	code := regexp.MustCompile("`([^`]+)`")
	for line := range strings.Lines(table) {
		if !strings.HasPrefix(line, "| `") {
			break
		}
		object := ""
		for i, m := range code.FindAllStringSubmatch(strings.Split(line, "|")[1], -1) {
			name := m[1]
			if i == 0 {
				object = name[:strings.LastIndex(name, ".")+1]
			} else {
				name = object + name
			}
			names[name] = true
		}
	}
	return names
}

// TestRatiosCompareLikeWithLike: a call that pauses is held against a ring that
// pauses, and one engine against the same.
func TestRatiosCompareLikeWithLike(t *testing.T) {
	r := &Report{
		Floors: []Floor{
			{What: "atomic", P50: 0.5}, {What: "futex", P50: 8}, {What: "memcpy", Size: 1 << 20, P50: 40},
			{What: "ring_spinning", Size: 64, P50: 1}, {What: "ring_gapped", Size: 64, P50: 6}, {What: "ring_blocking", Size: 64, P50: 9},
			{What: "ring_blocking_gapped", Size: 64, P50: 12}, {What: "engine_wasmer", P50: 2}, {What: "engine_wazero", P50: 0.1},
		},
		Rows: []Row{
			{Way: "grpc", Tool: "head", Size: 64, SandboxP50: 400}, {Way: "ring", Tool: "head", Size: 64, SandboxP50: 20}, {Way: "ring_blocking", Tool: "head", Size: 64, SandboxP50: 40},
			{Way: "grpc_wazero", Tool: "head", Size: 64, SandboxP50: 300}, {Way: "ring_wazero", Tool: "head", Size: 64, SandboxP50: 6}, {Way: "ring_wazero_blocking", Tool: "head", Size: 64, SandboxP50: 9},
		},
		Cold:      []Cold{{Engine: "wasmer", ModuleBytes: 2_900_000, Host: 1e9}, {Engine: "wasmer", ModuleBytes: 2_900_000, Cached: true, Host: 30_000}, {Engine: "wasmer", ModuleBytes: 10_000_000, Cached: true, Host: 300_000}},
		Decisions: []Decision{{Rules: 10_000, Shape: "hosts", P50: 0.5}},
		Idle:      &Idle{Sandboxes: 100, Private: 60, CPU: 0},
	}
	got := map[string]Ratio{}
	for _, q := range ratios(r) {
		got[q.What] = q
	}
	for what, want := range map[string]struct {
		measured float64
		held     bool
	}{
		"ring round trip, 64 B, spinning / two words":                                                                      {2, true},
		"call into a guest, wasmer, 64 B, session / ring round trip with the same gaps, and two engine calls":              {20 / (6 + 2*2.), false},
		"call into a guest, wazero, 64 B, session / ring round trip with the same gaps, and two engine calls":              {6 / (6 + 2*0.1), true},
		"the same, wasmer, blocking / 1.5 ring round trips, blocking, with the same gaps, and an engine call":              {40 / (1.5*12 + 2), false},
		"the same, wazero, blocking / 1.5 ring round trips, blocking, with the same gaps, and an engine call":              {9 / (1.5*12 + 0.1), true},
		"the same, wasmer, over gRPC / over the ring, 64 B":                                                                {20, false},
		"the same, wazero, over gRPC / over the ring, 64 B":                                                                {50, true},
		"first answer of a new host, wasmer, 2.9 MB, module compiled / 60 ms":                                              {0.5, true},
		"first answer of a new host, wasmer, 10.0 MB, module compiled / 150 ms":                                            {2, false},
		"policy decision, 10000 rules, hosts / 1 µs":                                                                       {0.5, true},
		"private memory of each of 100 idle sandboxes, compiled code and the guest's included / 30 MiB, without these two": {2, false},
		"CPU of 100 idle sandboxes together / 1 % of one":                                                                  {0.001, true},
	} {
		if q, ok := got[what]; !ok || math.Abs(q.Measured-want.measured) > 1e-9 || q.Held != want.held {
			t.Errorf("%s: %+v, want %+v", what, q, want)
		}
	}
	r.Floors[0].P50 = 2 * farthest // a CPU for one side only
	for _, q := range ratios(r) {
		if q.Disturbed != (q.What == "ring round trip, 64 B, spinning / two words") || q.Disturbed && q.Held {
			t.Errorf("two words took %d µs: %+v", 2*farthest, q)
		}
	}
}

// Calls with pauses in between are not held against calls over gRPC without them.
func TestSpeedUpIsOverCallsThatAreMadeAlike(t *testing.T) {
	b := &bench{}
	for i := range ways {
		c := b.cell(i, "head", 64)
		c.p50, c.p99, c.sandboxP50, c.sandboxP99 = []float64{30}, []float64{40}, []float64{10}, []float64{20}
	}
	r := Report{Rows: b.rows()}
	for _, row := range r.Rows {
		want := 1.0
		if strings.HasSuffix(row.Way, "_paced") {
			want = 0
		}
		if row.SpeedUp != want {
			t.Errorf("%s: %v times", row.Way, row.SpeedUp)
		}
	}
	var out strings.Builder
	if err := r.Print(&out); err != nil {
		t.Fatal(err)
	}
	if table := out.String(); strings.Contains(table, "0.0×") || strings.Count(table, "1.0×") != len(ways)-2 {
		t.Error(table)
	}
}

func TestQuantileIsAFigureThatWasMeasured(t *testing.T) {
	all := []time.Duration{4000, 1000, 3000, 2000}
	if p50, p99 := quantile(all, 50), quantile(all, 99); p50 != 2 || p99 != 3 {
		t.Errorf("p50 %v, p99 %v", p50, p99)
	}
}
