package cli_test

import (
	"bufio"
	"encoding/json"
	"encoding/xml"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/ringfence/ringfence/host"
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
	read := json.NewDecoder(strings.NewReader(out.stdout))
	read.DisallowUnknownFields() // docs/performance.md lists those of the type
	if err := read.Decode(&r); err != nil || out.code != 0 {
		t.Fatalf("%v: %+v", err, out)
	}
	if !strings.Contains(out.stderr, "round 1 of 1: calls\n") {
		t.Errorf("no progress on standard error: %q", out.stderr)
	}
	if m := r.Machine; m.CPU == "" || m.CPUs < 1 || m.Governor == "" || len(strings.Fields(m.LoadAtStart)) != 3 || len(strings.Fields(m.LoadAtEnd)) != 3 {
		t.Errorf("%+v", m)
	}
	// What the jail has depends on the machine; seccomp it has, or there is no sandbox.
	if !slices.ContainsFunc(r.Jail.Layers, func(l host.Layer) bool { return l.Name == "seccomp" && l.On }) || r.Jail.Level != "standard" {
		t.Errorf("%+v", r.Jail)
	}
	ways := map[string]int{}
	for _, row := range r.Rows {
		ways[row.Way]++
		if row.Calls < 5 || row.P50 <= 0 || row.P99 < row.P50 || row.SandboxP50 <= 0 || row.SandboxP50 > row.P50 || (row.SpeedUp > 0) == strings.HasSuffix(row.Way, "_paced") || (row.Engine == "wazero") != strings.Contains(row.Way, "wazero") {
			t.Errorf("%+v", row)
		}
	}
	for way, want := range map[string]int{"grpc": 6, "ring": 6, "ring_copying": 6, "ring_blocking": 6, "ring_fresh": 6, "ring_paced": 1, "ring_fresh_paced": 1, "grpc_wazero": 6, "ring_wazero": 6, "ring_wazero_blocking": 6} {
		if ways[way] != want {
			t.Errorf("%d rows of %s, want %d", ways[way], way, want)
		}
	}
	floors := map[string]int{}
	for _, f := range r.Floors {
		floors[f.What]++
		if f.P50 <= 0 || f.P99 < f.P50 || (f.Gap > 0) != strings.HasSuffix(f.What, "_gapped") {
			t.Errorf("%+v", f)
		}
	}
	for what, want := range map[string]int{"atomic": 1, "futex": 1, "memcpy": 3, "ring_spinning": 3, "ring_blocking": 3, "unix": 3, "grpc": 3, "ring_gapped": 1, "ring_blocking_gapped": 1, "engine_wasmer": 1, "engine_wazero": 1} {
		if floors[what] != want {
			t.Errorf("%d floors %s, want %d", floors[what], what, want)
		}
	}
	for i, engine := range []string{"wasmer", "wazero"} {
		if len(r.Cold) != 4 || len(r.Instances) != 2 {
			t.Fatalf("%+v, %+v", r.Cold, r.Instances)
		}
		compiled, cached, made := r.Cold[2*i], r.Cold[2*i+1], r.Instances[i]
		if compiled.Engine != engine || cached.Engine != engine || compiled.Cached || !cached.Cached || compiled.Host <= cached.Host || cached.HostP99 < cached.Host || cached.Sandbox <= 0 {
			t.Errorf("%+v, %+v", compiled, cached)
		}
		if made.Engine != engine || made.Calls < 5 || made.PerSecond <= 0 || made.P50 <= 0 || made.P99 < made.P50 {
			t.Errorf("%+v", made)
		}
	}
	if len(r.Decisions) != 3 || r.Idle != nil {
		t.Errorf("%+v, %+v", r.Decisions, r.Idle)
	}
	for _, d := range r.Decisions {
		if d.Rules < 10_000 || d.P50 <= 0 || d.P99 < d.P50 || d.Parse <= 0 {
			t.Errorf("%+v", d)
		}
	}
	if want := (bench.Peer{Way: "other", Tool: "head", Size: 64, Calls: 7, P50: 1, P99: 2}); len(r.Peers) != 1 || r.Peers[0] != want {
		t.Errorf("%+v", r.Peers)
	}
	if len(r.Ratios) != 19 {
		t.Errorf("%d ratios: %+v", len(r.Ratios), r.Ratios)
	}
	if b, err := os.ReadFile(svg); err != nil || xml.Unmarshal(b, new(struct{})) != nil || !strings.Contains(string(b), "ring, in place") || strings.Contains(string(b), "NaN") {
		t.Errorf("%v: %.200s", err, b)
	}
	var text strings.Builder
	if err := r.Print(&text); err != nil || !strings.Contains(text.String(), "ring, in place") || !strings.Contains(text.String(), "Sandboxes in the jail, level standard: ") || !strings.Contains(text.String(), r.Machine.String()) {
		t.Errorf("%v: %s", err, text.String())
	}
}

// TestBenchRefusesBeforeItMeasures: a mistake does not cost a run.
func TestBenchRefusesBeforeItMeasures(t *testing.T) {
	d := deploy(t, simple)
	for _, tt := range []struct {
		args []string
		says string
	}{
		{[]string{"--svg", filepath.Join("no", "such", "folder", "a.svg")}, "--svg: open "},
		{[]string{"--peer", filepath.Join(d.dir, "nothing")}, "make bin/extism-peer"},
		{[]string{"--rounds", "3"}, "unknown flag: --rounds"},
		{[]string{"everything"}, "takes no arguments"},
	} {
		out := d.run(append([]string{"bench"}, tt.args...)...)
		if out.code != 2 || out.stdout != "" || !strings.Contains(out.stderr, tt.says) || strings.Contains(out.stderr, "round 1") {
			t.Errorf("%q: %+v, want %q", tt.args, out, tt.says)
		}
	}
	svg := filepath.Join(d.dir, "a.svg")
	if out := d.run("bench", "--svg", svg, "--peer", "no-such-program"); out.code != 2 {
		t.Errorf("%+v", out)
	}
	if _, err := os.Stat(svg); !os.IsNotExist(err) {
		t.Errorf("a run that did not begin left a plot: %v", err)
	}
}

// TestInterruptDuringABenchLeavesNothing, wherever it comes: while processes of its own
// measure bare round trips, between calls, and while a module is compiled.
func TestInterruptDuringABenchLeavesNothing(t *testing.T) {
	for _, at := range []string{"round trips", "calls", "first calls"} {
		t.Run(at, func(t *testing.T) {
			d := deploy(t, simple)
			d.state = filepath.Join(d.dir, ".local", "state", "ringfence") // bench takes the default
			temporary := filepath.Join(d.dir, "tmp")
			if err := os.Mkdir(temporary, 0o700); err != nil {
				t.Fatal(err)
			}
			d.env = append(d.env, "TMPDIR="+temporary)
			cmd := d.command("bench", "--quick")
			stderr, err := cmd.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { cmd.Process.Kill() })
			var said strings.Builder
			for lines := bufio.NewScanner(stderr); lines.Scan(); {
				said.WriteString(lines.Text() + "\n")
				if lines.Text() == "round 1 of 1: "+at {
					if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
						t.Fatal(err)
					}
				}
			}
			_ = cmd.Wait() // the code is looked at
			if code := cmd.ProcessState.ExitCode(); code != 130 || !strings.HasSuffix(said.String(), "ringfence: interrupted\n") {
				t.Errorf("exit code %d, want 130: %s", code, said.String())
			}
			if _, after, _ := strings.Cut(said.String(), "round 1 of 1: "+at+"\n"); strings.Contains(after, "round 1") {
				t.Errorf("it went on to measure: %s", after)
			}
			eventually(t, "no process of the bench is left", func() bool { return len(measuring(t, d)) == 0 })
			d.verifyNothingIsLeft()
			if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v (%v)", left, err)
			}
		})
	}
}

// measuring lists the processes that a bench of this deployment has started of its own
// program, by the folder for temporary files that no other has.
func measuring(t *testing.T, d *deployment) (pids []string) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range all {
		environ, _ := os.ReadFile(file) // of processes that may be gone
		if strings.Contains(string(environ), "\x00TMPDIR="+d.dir) {
			pids = append(pids, filepath.Base(filepath.Dir(file)))
		}
	}
	return pids
}
