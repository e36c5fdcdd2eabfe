package pingpong

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

// sample is a report of fixed numbers.
func sample() *Report {
	cell := func(name string, size int, condition Condition, p50 ...float64) []Result {
		var rs []Result
		for _, ns := range p50 {
			rs = append(rs, Result{
				Cell:       Cell{Transport: name, Waiting: "block", Size: size, Condition: condition, BudgetNS: 1000},
				RoundTrips: 100, P50: ns, P99: 2 * ns, P999: 3 * ns,
				BytesPerSecond: 1e9, MessagesPerSecond: 1e6, CPUPerMessage: ns / 2, AllocsPerRoundTrip: 0.001,
			})
		}
		return rs
	}
	results := [][]Result{
		cell("atomic", 0, Free, 200, 100, 300),
		cell("grpc", 64, Free, 400e3, 300e3, 500e3),
		cell("grpc", 1<<20, Free, 7e6),
		cell("ring-spin", 64, Free, 200, 300, 300),
		cell("ring-block", 64, Pinned, 8e3),
	}
	r := newReport(Options{Repetitions: 3}, "", results)
	r.Machine = Machine{OS: "linux", Arch: "amd64", Kernel: "6.0", CPU: "a CPU", CPUs: 2, Go: "go1.26",
		Governor: "performance", Virtual: true, LoadAtStart: "0.0 0.1 0.2", LoadAtEnd: "0.1 0.2 0.3"}
	return r
}

// TestJSONNamesAreStable: scripts read these names; a change here breaks them.
func TestJSONNamesAreStable(t *testing.T) {
	var got bytes.Buffer
	if err := sample().WriteJSON(&got); err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/report.json", got.Bytes())

	again, err := ReadReport(&got)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sample(), again); diff != "" {
		t.Errorf("read back (-written +read):\n%s", diff)
	}
}

func TestTables(t *testing.T) {
	var got bytes.Buffer
	if err := sample().MarkdownTables(&got); err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/report.md", got.Bytes())
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, got, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func TestSVGIsWellFormed(t *testing.T) {
	for name, r := range map[string]*Report{"sample": sample(), "empty": {}} {
		t.Run(name, func(t *testing.T) {
			var svg bytes.Buffer
			if err := r.WriteSVG(&svg); err != nil {
				t.Fatal(err)
			}
			if s := svg.String(); strings.Contains(s, "NaN") || strings.Contains(s, "Inf") {
				t.Errorf("a coordinate is no number:\n%s", s)
			}
			d := xml.NewDecoder(&svg)
			for {
				if _, err := d.Token(); errors.Is(err, io.EOF) {
					return
				} else if err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// TestJudgeTakesTheMedianOfRatios: the ratio of the medians would be 1.5 here,
// of two figures that were not measured together.
func TestJudgeTakesTheMedianOfRatios(t *testing.T) {
	for _, target := range sample().Targets {
		if strings.Contains(target.What, "atomic") {
			if target.Measured != 1 || !target.Held {
				t.Errorf("%+v, want 1, the median of 200/200, 300/100 and 300/300", target)
			}
			return
		}
	}
	t.Error("no target compares with the bare atomic ping-pong")
}

// TestASpinnerWithoutACPUIsNoBaseline: against a ping-pong that waits for its turn
// on a busy CPU every ring looks fast.
func TestASpinnerWithoutACPUIsNoBaseline(t *testing.T) {
	atomic, ring := Cell{Transport: "atomic", Condition: Free}, Cell{Transport: "ring-spin", Size: 64, Condition: Free}
	for _, target := range judge([][]Result{{{Cell: atomic, P50: 25e6}}, {{Cell: ring, P50: 17e3}}}) {
		if target.Relation == "≤" && target.Bound == 2 && (target.Held || !target.Disturbed) {
			t.Errorf("%+v, want it disturbed", target)
		}
	}
}

func TestQuantile(t *testing.T) {
	hundred := make([]int64, 100)
	for i := range hundred {
		hundred[i] = int64(i + 1)
	}
	for _, c := range []struct {
		samples []int64
		q, want float64
	}{
		{hundred, 0.5, 50},
		{hundred, 0.99, 99},
		{hundred, 0.999, 100},
		{[]int64{7}, 0.5, 7},
		{[]int64{7}, 0.999, 7},
		{[]int64{1, 2}, 0.5, 1},
	} {
		if got := quantile(c.samples, c.q); got != c.want {
			t.Errorf("quantile(%d samples, %v) = %v, want %v", len(c.samples), c.q, got, c.want)
		}
	}
}
