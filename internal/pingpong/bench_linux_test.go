package pingpong

import (
	"fmt"
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	Child()
	os.Exit(m.Run())
}

func start(t testing.TB, name string, size int) peer {
	t.Helper()
	tr, err := findTransport(name)
	if err != nil {
		t.Fatal(err)
	}
	p, err := tr.start(size)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.close(); err != nil {
			t.Errorf("close %s: %v", name, err)
		}
	})
	return p
}

// TestEachTransportEchoes runs each transport as a cell does, shortly: the echo
// is compared, and a run one way must come to its end.
func TestEachTransportEchoes(t *testing.T) {
	for _, tr := range transports() {
		for _, size := range []int{64, 1 << 20} {
			t.Run(fmt.Sprintf("%s/%d", tr.Name, size), func(t *testing.T) {
				r, err := measure(Cell{Transport: tr.Name, Size: size, Condition: Free, BudgetNS: 1e6})
				if err != nil {
					t.Fatal(err)
				}
				if r.RoundTrips < minRoundTrips || r.P50 <= 0 || r.P50 > r.P99 || r.P99 > r.P999 {
					t.Errorf("round trips %d, p50 %v, p99 %v, p99.9 %v", r.RoundTrips, r.P50, r.P99, r.P999)
				}
				if !tr.bare && (r.BytesPerSecond <= 0 || r.MessagesPerSecond <= 0) {
					t.Errorf("one way: %v bytes/s, %v messages/s", r.BytesPerSecond, r.MessagesPerSecond)
				}
			})
		}
	}
}

// TestRunInterleavesConditions measures one cell under each condition, in
// processes of their own.
func TestRunInterleavesConditions(t *testing.T) {
	r, err := Run(t.Context(), Options{
		Transports: []string{"memcpy"}, Sizes: []int{64}, Conditions: Conditions,
		Repetitions: 2, Budget: 1e6, Progress: t.Output(),
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Results) != len(Conditions) {
		t.Fatalf("%d results, want one for each condition: %+v", len(r.Results), r.Results)
	}
	for i, c := range r.Results {
		if c.Condition != Conditions[i] || c.P50 <= 0 {
			t.Errorf("result %d: %+v", i, c)
		}
	}
}

var benchSizes = []int{64, 64 << 10, 1 << 20}

func BenchmarkRoundTrip(b *testing.B) {
	eachTransport(b, func(b *testing.B, p peer, msg, reply []byte) {
		for b.Loop() {
			if err := p.roundTrip(msg, reply); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkOneWay(b *testing.B) {
	eachTransport(b, func(b *testing.B, p peer, msg, _ []byte) {
		if len(msg) == 0 {
			b.Skip("carries no message")
		}
		for b.Loop() {
			if err := p.send(msg); err != nil {
				b.Fatal(err)
			}
		}
		if err := p.sendLast(msg); err != nil {
			b.Fatal(err)
		}
	})
}

func eachTransport(b *testing.B, run func(b *testing.B, p peer, msg, reply []byte)) {
	for _, tr := range transports() {
		for _, size := range benchSizes {
			if tr.bare {
				if size != benchSizes[0] {
					continue
				}
				size = 0
			}
			b.Run(fmt.Sprintf("%s/%d", tr.Name, size), func(b *testing.B) {
				p := start(b, tr.Name, size)
				b.SetBytes(int64(size))
				b.ReportAllocs()
				run(b, p, payload(size), make([]byte, size))
			})
		}
	}
}

// TestGapsLieBetweenRoundTrips: they take time, of which none is a round trip's.
func TestGapsLieBetweenRoundTrips(t *testing.T) {
	const gap, budget = 2e6, 20e6
	r, err := measure(Cell{Transport: "memcpy", Size: 64, Condition: Free, BudgetNS: int64(budget), GapNS: int64(gap)})
	if err != nil {
		t.Fatal(err)
	}
	if most := int(budget/gap) + 1; r.RoundTrips > most {
		t.Errorf("%d round trips in the time of at most %d gaps", r.RoundTrips, most)
	}
	if r.P50 >= gap {
		t.Errorf("a round trip of %v ns, as long as a gap", r.P50)
	}
}
