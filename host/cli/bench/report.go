package bench

import (
	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/internal/pingpong"
)

// Report is what was measured. The names in its JSON form are stable: a name keeps its
// meaning and unit, and new ones may come; docs/performance.md lists them all. Times
// are microseconds, and medians of the rounds.
type Report struct {
	Machine   pingpong.Machine `json:"machine"`
	Jail      Jail             `json:"jail"`
	Rounds    int              `json:"rounds"` // everything is measured once a round
	Rows      []Row            `json:"rows"`
	Floors    []Floor          `json:"floors,omitempty"`
	Peers     []Peer           `json:"peers,omitempty"`
	Cold      []Cold           `json:"cold,omitempty"`
	Instances []Instances      `json:"instances,omitempty"`
	Decisions []Decision       `json:"decisions,omitempty"`
	Idle      *Idle            `json:"idle,omitempty"`
	Ratios    []Ratio          `json:"ratios,omitempty"`
}

// Jail is what the sandboxes of the run were in.
type Jail struct {
	// Level is what the policy demanded; a machine that gives more is used for all
	// that it gives, and one that gives less is not measured.
	Level string `json:"level"`
	// Layers are those that were there, and those that were not, with why.
	Layers []host.Layer `json:"layers"`
}

// Row is one way of a call with arguments of one size.
type Row struct {
	// Way is how calls travel; see ways.
	Way    string `json:"way"`
	Engine string `json:"engine"` // "wasmer", "wazero"
	// Tool is "head", which reads the first byte of its arguments, or "echo", which
	// returns them.
	Tool string `json:"tool"`
	Size int    `json:"size"` // bytes of arguments
	// Calls is how many were measured, in all rounds.
	Calls int `json:"calls"`
	// P50 and P99 are of the whole call; SandboxP50 and SandboxP99 of the part of it
	// between the host and the sandbox.
	P50        float64 `json:"p50_us"`
	P99        float64 `json:"p99_us"`
	SandboxP50 float64 `json:"sandbox_p50_us"`
	SandboxP99 float64 `json:"sandbox_p99_us"`
	// SpeedUp is how many times the median call over gRPC takes as long, into the same
	// engine, in the sandbox part, in the same run; none for calls with pauses.
	SpeedUp float64 `json:"speed_up_over_grpc,omitempty"`
}

// Floor is what something costs at least, or without us.
type Floor struct {
	// What is a round trip between two processes without a guest: "atomic" and "futex"
	// (two words, no message), "ring_spinning" and "ring_blocking", "unix" (a
	// socket), "grpc" (go-plugin's), and "ring_gapped" and "ring_blocking_gapped",
	// which pause between two as long as a host computes between two calls; or, within
	// one process, "memcpy" (a message copied once), "engine_wasmer" and
	// "engine_wazero" (a call of a function that does nothing).
	What string `json:"what"`
	Size int    `json:"size"` // bytes of the message each way; 0 for words and engines
	// Gap is the pause.
	Gap float64 `json:"gap_us,omitempty"`
	P50 float64 `json:"p50_us"`
	P99 float64 `json:"p99_us"`
}

// Peer is a call of another library's, in its own process.
type Peer struct {
	Way   string  `json:"way"`
	Tool  string  `json:"tool"` // as in Row
	Size  int     `json:"size"`
	Calls int     `json:"calls"`
	P50   float64 `json:"p50_us"`
	P99   float64 `json:"p99_us"`
}

// Cold is a first call.
type Cold struct {
	Engine      string `json:"engine"`
	ModuleBytes int64  `json:"module_bytes"`
	// Cached says that the compiled module was at hand.
	Cached bool `json:"cached"`
	// Host is from opening a host to the first answer, and Sandbox what the first call
	// of another plugin in a host that runs spends on starting its sandbox, with the
	// module compiled.
	Host       float64 `json:"host_us"`
	HostP99    float64 `json:"host_p99_us"` // of few runs the longest
	Sandbox    float64 `json:"sandbox_us"`
	SandboxP99 float64 `json:"sandbox_p99_us"`
	Runs       int     `json:"runs"`
}

// Instances is what lifetime = "call" sustains: a fresh instance for each call, and no
// pause between calls.
type Instances struct {
	Engine      string  `json:"engine"`
	ModuleBytes int64   `json:"module_bytes"`
	Calls       int     `json:"calls"`
	PerSecond   float64 `json:"per_second"`
	P50         float64 `json:"p50_us"`
	P99         float64 `json:"p99_us"`
}

// Decision is what asking the policy about one request costs.
type Decision struct {
	// Rules is how many the policy has, and Shape what tells them apart: "hosts",
	// "paths". The last rule allows the request; "denied" is a request that none does.
	Rules int     `json:"rules"`
	Shape string  `json:"shape"`
	P50   float64 `json:"p50_us"`
	P99   float64 `json:"p99_us"`
	// Allocations are those of one decision; its answer, with the URL taken apart, is
	// among them.
	Allocations float64 `json:"allocations"`
	// Parse is what net/url takes for the same URL: the baseline.
	Parse float64 `json:"url_parse_us"`
}

// Idle is what sandboxes cost that nobody calls.
type Idle struct {
	Engine      string `json:"engine"`
	ModuleBytes int64  `json:"module_bytes"`
	// Sandboxes were started, one after the other, and called once each: all of 100,
	// or as many as left half of the machine's memory free.
	Sandboxes int     `json:"sandboxes"`
	Start     float64 `json:"start_us"`
	StartP99  float64 `json:"start_p99_us"`
	// CPU is what all of them together took of one processor, in percent, while nothing
	// happened for Seconds.
	CPU     float64 `json:"cpu_percent"`
	Seconds float64 `json:"seconds"`
	// Private is the anonymous memory of one sandbox process that was resident, its
	// guest's memory and the compiled code included.
	Private    float64 `json:"private_mib"`
	PrivateP99 float64 `json:"private_p99_mib"`
}

// Ratio is a figure of this run over another, and what was aimed at.
type Ratio struct {
	What     string  `json:"what"`
	Relation string  `json:"relation"` // "≤" or "≥"
	Bound    float64 `json:"bound"`
	Measured float64 `json:"measured"`
	Held     bool    `json:"held"`
	// Disturbed says that the machine was too busy for the comparison to mean
	// anything: it does not count as held then.
	Disturbed bool `json:"disturbed"`
}
