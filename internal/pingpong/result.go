package pingpong

import "slices"

// Condition is what the CPUs do while a cell is measured.
type Condition string

const (
	Free   Condition = "free"   // both processes run where the kernel puts them
	Pinned Condition = "pinned" // both share one CPU
	Busy   Condition = "busy"   // a process that never sleeps on each CPU
)

// Conditions in the order of the report.
var Conditions = []Condition{Free, Pinned, Busy}

// Cell names one measurement. Its JSON is part of the report.
type Cell struct {
	Transport string    `json:"transport"`
	Waiting   string    `json:"waiting"` // "spin", "block"; "" where nobody waits
	Size      int       `json:"size"`    // bytes of a message; 0 for bare words
	Condition Condition `json:"condition"`
	BudgetNS  int64     `json:"budget_ns"` // how long each part of it is measured
	// GapNS is what the measuring side computes between two round trips, which does
	// not count: a peer that spins gives up and sleeps where it is long enough.
	GapNS int64 `json:"gap_ns,omitempty"`
}

// Result is what one repetition of a cell gave, or the median of several. Times
// are nanoseconds. A figure that does not apply is 0.
type Result struct {
	Cell
	RoundTrips int     `json:"round_trips"` // how many the percentiles rest on
	P50        float64 `json:"p50_ns"`
	P99        float64 `json:"p99_ns"`
	P999       float64 `json:"p999_ns"` // the largest, of fewer than 1000
	// One way: messages sent without waiting for an answer to each.
	BytesPerSecond    float64 `json:"one_way_bytes_per_second"`
	MessagesPerSecond float64 `json:"one_way_messages_per_second"`
	// Of both processes, per message of a round trip (which is two messages).
	CPUPerMessage float64 `json:"cpu_ns_per_message"`
	// Heap allocations of the measuring process per round trip.
	AllocsPerRoundTrip float64 `json:"allocs_per_round_trip"`
}

// median of each figure by itself. Preconditions: results of one cell, not none.
func median(rs []Result) Result {
	of := func(figure func(Result) float64) float64 {
		v := make([]float64, len(rs))
		for i, r := range rs {
			v[i] = figure(r)
		}
		return middle(v)
	}
	return Result{
		Cell:               rs[0].Cell,
		RoundTrips:         int(of(func(r Result) float64 { return float64(r.RoundTrips) })),
		P50:                of(func(r Result) float64 { return r.P50 }),
		P99:                of(func(r Result) float64 { return r.P99 }),
		P999:               of(func(r Result) float64 { return r.P999 }),
		BytesPerSecond:     of(func(r Result) float64 { return r.BytesPerSecond }),
		MessagesPerSecond:  of(func(r Result) float64 { return r.MessagesPerSecond }),
		CPUPerMessage:      of(func(r Result) float64 { return r.CPUPerMessage }),
		AllocsPerRoundTrip: of(func(r Result) float64 { return r.AllocsPerRoundTrip }),
	}
}

// middle is the median; it sorts v. Of an even number it is the lower one, so
// that it is always a figure that was measured.
func middle(v []float64) float64 {
	slices.Sort(v)
	return v[(len(v)-1)/2]
}

// quantile of sorted samples: the smallest that at least q of them do not exceed.
func quantile(sorted []int64, q float64) float64 {
	i := int(q*float64(len(sorted))+0.999999) - 1
	return float64(sorted[min(max(i, 0), len(sorted)-1)])
}
