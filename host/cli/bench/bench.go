// Package bench measures what a call costs on this machine: the whole of it, as a
// program that embeds package host sees it, over each way that calls can travel,
// beside what a round trip between two processes costs without guests, a start
// without a running sandbox, and, if there is one, another library's call. It does so
// in one run, round by round: only ratios within a run mean anything elsewhere.
//
//	calls.go   calls over each way
//	floors.go  bare round trips between two processes
//	cold.go    starts
//	peer.go    another program's calls
//	ratios.go  what was aimed at
package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/internal/pingpong"
)

// Config says what is measured, and where progress goes.
type Config struct {
	// Out gets one line for each round.
	Out io.Writer
	// Tools is the folder of the first-party .wasm files.
	Tools string
	// Options go to the hosts, but for how calls travel.
	Options host.Options
	// Quick measures fewer sizes, and once.
	Quick bool
	// CallsOnly leaves out everything but calls into guests.
	CallsOnly bool
	// Peer is a program that measures the calls of another library; see peer.go. ""
	// leaves it out.
	Peer string
}

// Report is what was measured. The names in its JSON form are stable: a name keeps its
// meaning and unit, and new ones may come. Times are microseconds, and medians of the
// rounds.
type Report struct {
	Machine pingpong.Machine `json:"machine"`
	Rounds  int              `json:"rounds"` // everything is measured once a round
	Rows    []Row            `json:"rows"`
	Floors  []Floor          `json:"floors,omitempty"`
	Peers   []Peer           `json:"peers,omitempty"`
	Cold    []Cold           `json:"cold,omitempty"`
	Ratios  []Ratio          `json:"ratios,omitempty"`
}

// Row is one way of a call with arguments of one size.
type Row struct {
	// Way is how calls travel; see ways.
	Way string `json:"way"`
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
	// SpeedUp is how many times the median call over gRPC takes as long, in the
	// sandbox part, in the same run.
	SpeedUp float64 `json:"speed_up_over_grpc"`
}

// Floor is a round trip between two processes without a guest.
type Floor struct {
	// What is "atomic" and "futex" (two words, no message), "ring_spinning",
	// "ring_blocking", "unix" (a socket), "grpc" (go-plugin's), or "memcpy" (a message
	// copied once, within one process).
	What string  `json:"what"`
	Size int     `json:"size"` // bytes of the message each way; 0 for words
	P50  float64 `json:"p50_us"`
	P99  float64 `json:"p99_us"`
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
	ModuleBytes int64 `json:"module_bytes"`
	// Cached says that the compiled module was at hand.
	Cached bool `json:"cached"`
	// Host is from opening a host to the first answer, and Sandbox what of it, or of
	// the first call of a plugin in a host that runs, went into starting the sandbox.
	Host    float64 `json:"host_us"`
	Sandbox float64 `json:"sandbox_us"`
	Runs    int     `json:"runs"`
}

// Run measures.
func Run(ctx context.Context, c Config) (_ *Report, err error) {
	b := &bench{Config: c, sizes: []int{64, 4 << 10, 64 << 10, 1 << 20, 4 << 20}, slice: 150 * time.Millisecond, rounds: 3}
	if c.Quick {
		b.sizes, b.slice, b.rounds = []int{64, 64 << 10, 1 << 20}, 60*time.Millisecond, 1
	}
	defer func() { err = errors.Join(err, b.close()) }()
	if err := b.open(ctx); err != nil {
		return nil, err
	}
	for round := range b.rounds {
		fmt.Fprintf(c.Out, "round %d of %d\n", round+1, b.rounds)
		if err := b.round(ctx); err != nil {
			return nil, err
		}
	}
	r := &Report{Machine: pingpong.ThisMachine(), Rounds: b.rounds, Rows: b.rows(), Floors: b.floorRows(), Peers: b.peerRows(), Cold: b.coldRows()}
	if !c.CallsOnly {
		r.Ratios = ratios(r)
	}
	return r, nil
}

type bench struct {
	Config
	sizes  []int
	slice  time.Duration // for each cell of a round
	rounds int

	dir    string       // of policies
	hosts  []*host.Host // by way
	cells  []*cell
	floors map[Floor][]pingpong.Result // by What and Size
	peers  map[Peer][]Peer             // by Way, Tool and Size
	cold   map[bool][]Cold             // by Cached
}

func (b *bench) round(ctx context.Context) error {
	if !b.CallsOnly {
		if err := b.measureFloors(); err != nil {
			return err
		}
	}
	if err := b.measureCalls(ctx); err != nil {
		return err
	}
	if b.CallsOnly {
		return nil
	}
	if err := b.measurePeer(ctx); err != nil {
		return err
	}
	return b.measureCold(ctx)
}

// quantile sorts, and gives microseconds.
func quantile(all []time.Duration, percent int) float64 {
	slices.Sort(all)
	return float64(all[(len(all)-1)*percent/100].Nanoseconds()) / 1000
}

// median of the rounds; of an even number the lower one, which was measured.
func median(rounds []float64) float64 {
	if len(rounds) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(rounds))
	return sorted[(len(sorted)-1)/2]
}

// medianOf one figure of several.
func medianOf[T any](all []T, figure func(T) float64) float64 {
	figures := make([]float64, len(all))
	for i, one := range all {
		figures[i] = figure(one)
	}
	return median(figures)
}
