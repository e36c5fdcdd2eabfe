// Package bench measures what a call costs on this machine: the whole of it, as a
// program that embeds package host sees it, over each way that calls can travel,
// beside what a round trip between two processes costs without guests, a start
// without a running sandbox, and, if there is one, another library's call. It does so
// in one run, round by round: only ratios within a run mean anything elsewhere.
//
//	report.go     what comes out
//	calls.go      calls over each way
//	floors.go     bare round trips between two processes
//	engines.go    bare calls into an engine
//	cold.go       starts, and fresh instances
//	larger.go     a larger module
//	decisions.go  questions to the policy
//	idle_linux.go sandboxes that nobody calls
//	peer.go       another program's calls
//	ratios.go     what was aimed at
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

// Run measures.
func Run(ctx context.Context, c Config) (_ *Report, err error) {
	b := &bench{
		Config: c, load: pingpong.Load(), sizes: []int{64, 4 << 10, 64 << 10, 1 << 20, 4 << 20}, slice: 150 * time.Millisecond, rounds: 3,
		hosts: map[string]*host.Host{}, floors: map[Floor][]pingpong.Result{}, peers: map[Peer][]Peer{}, cold: map[start][]Cold{}, instances: map[start][]Instances{},
	}
	if c.Quick {
		b.sizes, b.slice, b.rounds = []int{64, 64 << 10, 1 << 20}, 60*time.Millisecond, 1
	}
	defer func() { err = errors.Join(err, b.close()) }()
	if err := b.open(ctx); err != nil {
		return nil, err
	}
	for round := range b.rounds {
		if err := b.round(ctx, round); err != nil {
			return nil, err
		}
	}
	r := &Report{Jail: b.jail, Rounds: b.rounds, Rows: b.rows(), Floors: b.floorRows(), Peers: b.peerRows(), Cold: b.coldRows(), Instances: b.instanceRows()}
	if !c.CallsOnly {
		if err := b.once(ctx, r); err != nil {
			return nil, err
		}
		r.Ratios = ratios(r)
	}
	r.Machine = pingpong.ThisMachine(b.load)
	return r, nil
}

type bench struct {
	Config
	load   string // of the machine, at the start
	sizes  []int
	slice  time.Duration // for each cell of a round
	rounds int

	dir       string                // of policies
	hosts     map[string]*host.Host // by the ways' names of them
	jail      Jail
	cells     []*cell
	floors    map[Floor][]pingpong.Result // by What, Size and Gap
	peers     map[Peer][]Peer             // by Way, Tool and Size
	cold      map[start][]Cold
	instances map[start][]Instances
}

func (b *bench) progress(format string, args ...any) { fmt.Fprintf(b.Out, format+"\n", args...) }

func (b *bench) round(ctx context.Context, round int) error {
	name := fmt.Sprintf("round %d of %d: ", round+1, b.rounds)
	if b.CallsOnly {
		b.progress(name + "calls")
		return b.measureCalls(ctx)
	}
	for _, step := range []struct {
		name    string
		measure func(context.Context) error
	}{
		{"round trips", b.measureFloors}, {"bare engines", b.measureEngines}, {"calls", b.measureCalls}, {"round trips with the gaps of calls", b.measureGapped},
		{"the peer", b.measurePeer}, {"first calls", b.measureCold},
	} {
		if step.name == "the peer" && b.Peer == "" {
			continue
		}
		b.progress(name + step.name)
		if err := step.measure(ctx); err != nil {
			return err
		}
	}
	return nil
}

// once measures what takes long, or hardly differs from round to round.
func (b *bench) once(ctx context.Context, r *Report) (err error) {
	b.progress("decisions of the policy")
	if r.Decisions, err = b.measureDecisions(ctx); err != nil || b.Quick {
		return err
	}
	b.progress("idle sandboxes")
	r.Idle, err = b.measureIdle(ctx)
	return err
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
