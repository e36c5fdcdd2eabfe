package pingpong

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
)

// Report is the outcome of a run. Its JSON names are stable: a name keeps its
// meaning and unit, new ones may come.
type Report struct {
	Machine     Machine  `json:"machine"`
	Repetitions int      `json:"repetitions"`
	Results     []Result `json:"results"` // medians of the repetitions
	Targets     []Target `json:"targets"`
}

// Machine says where a report comes from.
type Machine struct {
	OS     string `json:"os"`
	Arch   string `json:"arch"`
	Kernel string `json:"kernel"`
	CPU    string `json:"cpu"`
	CPUs   int    `json:"cpus"`
	Go     string `json:"go"`
	// Governor is what sets the first CPU's frequency; "unknown" where the kernel
	// does not say, as in most virtual machines.
	Governor string `json:"governor,omitempty"`
	// Virtual says that a hypervisor announces itself: a page fault, a wake-up and a
	// CPU of one's own cost several times as much there.
	Virtual bool `json:"virtual,omitempty"`
	// Load is that of 1, 5 and 15 minutes; at the end what we cause ourselves is in it.
	LoadAtStart string `json:"load_at_start,omitempty"`
	LoadAtEnd   string `json:"load_at_end"`
}

// ThisMachine describes the machine after a run that began under that load.
func ThisMachine(loadAtStart string) Machine {
	cpuinfo := procFile("/proc/cpuinfo")
	return Machine{
		OS:          runtime.GOOS,
		Arch:        runtime.GOARCH,
		Kernel:      strings.TrimSpace(procFile("/proc/sys/kernel/osrelease")),
		CPU:         cpuField(cpuinfo, "model name"),
		CPUs:        runtime.NumCPU(),
		Go:          runtime.Version(),
		Governor:    strings.TrimSpace(procFile("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")),
		Virtual:     slices.Contains(strings.Fields(cpuField(cpuinfo, "flags")), "hypervisor"),
		LoadAtStart: loadAtStart,
		LoadAtEnd:   Load(),
	}
}

// Load is the machine's load now, of 1, 5 and 15 minutes.
func Load() string {
	return strings.Join(strings.Fields(procFile("/proc/loadavg") + " - - -")[:3], " ")
}

// load is the load in words.
func (m Machine) load() string {
	if m.LoadAtStart == "" { // a report of an older version
		return m.LoadAtEnd + " at the end"
	}
	return m.LoadAtStart + " at the start, " + m.LoadAtEnd + " at the end"
}

// String describes the machine in a line for people.
func (m Machine) String() string {
	kind, governor := "", ""
	if m.Virtual {
		kind = " (virtual)"
	}
	if m.Governor != "" {
		governor = ", governor " + m.Governor
	}
	return fmt.Sprintf("%s%s, %d CPUs%s, %s/%s, kernel %s, %s, load %s",
		m.CPU, kind, m.CPUs, governor, m.OS, m.Arch, m.Kernel, m.Go, m.load())
}

func procFile(name string) string {
	b, err := os.ReadFile(name)
	if err != nil {
		return "unknown"
	}
	return string(b)
}

// cpuField is a field of the first CPU that has it.
func cpuField(cpuinfo, name string) string {
	for line := range strings.Lines(cpuinfo) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

func newReport(o Options, loadAtStart string, results [][]Result) *Report {
	r := &Report{Machine: ThisMachine(loadAtStart), Repetitions: o.Repetitions}
	for _, repetitions := range results {
		r.Results = append(r.Results, median(repetitions))
	}
	r.Targets = judge(results)
	return r
}

// WriteJSON writes the report for programs.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// ReadReport reads what WriteJSON wrote.
func ReadReport(rd io.Reader) (*Report, error) {
	var r Report
	d := json.NewDecoder(rd)
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return nil, fmt.Errorf("read report: %w", err)
	}
	return &r, nil
}

// MarkdownTables writes the report for people: the targets, then a table for
// each condition.
func (r *Report) MarkdownTables(w io.Writer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s; median of %d interleaved repetitions.\n", r.Machine, r.Repetitions)
	if len(r.Targets) > 0 {
		b.WriteString("\n| what | condition | target | measured | |\n|---|---|---|---|---|\n")
		for _, t := range r.Targets {
			fmt.Fprintf(&b, "| %s | %s | %s %s | %s | %s |\n", t.What, t.Condition, t.Relation, figure(t.Bound), figure(t.Measured), t.verdict())
		}
	}
	for _, condition := range Conditions {
		r.table(&b, condition)
	}
	_, err := w.Write(b.Bytes())
	return err
}

func (r *Report) table(b *bytes.Buffer, condition Condition) {
	head := false
	for _, c := range r.Results {
		if c.Condition != condition {
			continue
		}
		if !head {
			head = true
			fmt.Fprintf(b, "\nCPUs %s\n\n", condition)
			b.WriteString("| transport | size | p50 µs | p99 µs | p99.9 µs | one way MB/s | messages/s | CPU µs/message | allocs |\n")
			b.WriteString("|---|--:|--:|--:|--:|--:|--:|--:|--:|\n")
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", c.Transport, sizeName(c.Size),
			figure(c.P50/1e3), figure(c.P99/1e3), figure(c.P999/1e3),
			orDash(c.BytesPerSecond/1e6), orDash(c.MessagesPerSecond), figure(c.CPUPerMessage/1e3), figure(c.AllocsPerRoundTrip))
	}
}

// figure prints three digits that count, and never an exponent.
func figure(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	case v >= 0.005:
		return fmt.Sprintf("%.2f", v)
	}
	return "0"
}

func orDash(v float64) string {
	if v == 0 {
		return "–"
	}
	return figure(v)
}

func sizeName(n int) string {
	switch {
	case n == 0:
		return "–"
	case n >= 1<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<10:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d B", n)
}
