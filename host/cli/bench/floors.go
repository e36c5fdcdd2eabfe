package bench

import (
	"io"

	"github.com/ringfence/ringfence/internal/pingpong"
)

// floors are the transports of package pingpong, by their names here.
var floors = []struct{ what, transport string }{
	{"atomic", "atomic"}, {"futex", "futex"}, {"memcpy", "memcpy"}, {"ring_spinning", "ring-spin"}, {"ring_blocking", "ring-block"},
	{"unix", "unix"}, {"grpc", "grpc"},
}

// measureFloors measures what any call between two processes costs at least, or
// without us. The processes are this program, executed again.
func (b *bench) measureFloors() error {
	options := pingpong.Options{Sizes: b.sizes, Conditions: []pingpong.Condition{pingpong.Free}, Repetitions: 1, Budget: b.slice / 3, Progress: io.Discard}
	for _, f := range floors {
		options.Transports = append(options.Transports, f.transport)
	}
	r, err := pingpong.Run(options)
	if err != nil {
		return err
	}
	if b.floors == nil {
		b.floors = map[Floor][]pingpong.Result{}
	}
	for _, one := range r.Results {
		for _, f := range floors {
			if f.transport == one.Transport {
				key := Floor{What: f.what, Size: one.Size}
				b.floors[key] = append(b.floors[key], one)
			}
		}
	}
	return nil
}

func (b *bench) floorRows() (rows []Floor) {
	for _, f := range floors {
		for _, size := range append([]int{0}, b.sizes...) {
			key := Floor{What: f.what, Size: size}
			if measured := b.floors[key]; len(measured) > 0 {
				key.P50 = medianOf(measured, func(r pingpong.Result) float64 { return r.P50 }) / 1000
				key.P99 = medianOf(measured, func(r pingpong.Result) float64 { return r.P99 }) / 1000
				rows = append(rows, key)
			}
		}
	}
	return rows
}
