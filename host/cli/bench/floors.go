package bench

import (
	"context"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/ringfence/ringfence/internal/pingpong"
)

// floors are the transports of package pingpong, by their names here.
var floors = []struct{ what, transport string }{
	{"atomic", "atomic"}, {"futex", "futex"}, {"memcpy", "memcpy"}, {"ring_spinning", "ring-spin"}, {"ring_blocking", "ring-block"},
	{"unix", "unix"}, {"grpc", "grpc"},
}

// gapped are those that are also measured with the gaps of calls.
var gapped = map[string]struct{ transport, way string }{
	"ring_gapped": {"ring-spin", "ring"}, "ring_blocking_gapped": {"ring-block", "ring_blocking"},
}

// measureFloors measures what any call between two processes costs at least, or
// without us. The processes are this program, executed again.
func (b *bench) measureFloors(ctx context.Context) error {
	var transports []string
	for _, f := range floors {
		transports = append(transports, f.transport)
	}
	results, err := b.pingpong(ctx, b.sizes, 0, transports...)
	for _, one := range results {
		for _, f := range floors {
			if f.transport == one.Transport {
				b.floor(Floor{What: f.what, Size: one.Size}, one)
			}
		}
	}
	return err
}

// measureGapped measures the ring between whose round trips as much time lies as the
// host takes between two small calls of this round: a spinning peer gives up in
// between, so that calls cannot be held against one that is asked at once again.
func (b *bench) measureGapped(ctx context.Context) error {
	for what, g := range gapped {
		c := b.cell(wayNamed(g.way), "head", b.sizes[0])
		last := len(c.p50) - 1
		gap := time.Duration((c.p50[last] - c.sandboxP50[last]) * 1000)
		results, err := b.pingpong(ctx, b.sizes[:1], gap, g.transport)
		if err != nil {
			return err
		}
		for _, one := range results {
			b.floor(Floor{What: what, Size: one.Size}, one)
		}
	}
	return nil
}

func (b *bench) pingpong(ctx context.Context, sizes []int, gap time.Duration, transports ...string) ([]pingpong.Result, error) {
	r, err := pingpong.Run(ctx, pingpong.Options{
		Transports: transports, Sizes: sizes, Conditions: []pingpong.Condition{pingpong.Free}, Repetitions: 1, Budget: b.slice / 3, Gap: gap, Progress: io.Discard,
	})
	if err != nil {
		return nil, err
	}
	return r.Results, nil
}

func (b *bench) floor(key Floor, r pingpong.Result) { b.floors[key] = append(b.floors[key], r) }

func (b *bench) floorRows() (rows []Floor) {
	var names []string
	for _, f := range floors {
		names = append(names, f.what)
	}
	for _, name := range append(append(names, slices.Sorted(maps.Keys(gapped))...), "engine_wasmer", "engine_wazero") {
		for _, size := range append([]int{0}, b.sizes...) {
			key := Floor{What: name, Size: size}
			measured := b.floors[key]
			if len(measured) == 0 {
				continue
			}
			key.Gap = medianOf(measured, func(r pingpong.Result) float64 { return float64(r.GapNS) }) / 1000
			key.P50 = medianOf(measured, func(r pingpong.Result) float64 { return r.P50 }) / 1000
			key.P99 = medianOf(measured, func(r pingpong.Result) float64 { return r.P99 }) / 1000
			rows = append(rows, key)
		}
	}
	return rows
}
