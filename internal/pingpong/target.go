package pingpong

// Target is a ratio, or a figure, that the ring must reach.
type Target struct {
	What      string    `json:"what"`
	Condition Condition `json:"condition"`
	Relation  string    `json:"relation"` // "≤" or "≥"
	Bound     float64   `json:"bound"`
	Measured  float64   `json:"measured"` // the median over the repetitions
	Held      bool      `json:"held"`
	// Disturbed says that the machine was too busy for the comparison to mean
	// anything; then the target does not count as held.
	Disturbed bool `json:"disturbed"`
}

func (t Target) verdict() string {
	switch {
	case t.Disturbed:
		return "**machine too busy to say**"
	case t.Held:
		return "held"
	}
	return "**not held**"
}

// farthest is the longest time, in nanoseconds, that a word takes to another CPU
// and back where two processes really have a CPU each. With fewer, one spins while
// the other waits for its turn, for milliseconds, and whatever is compared with
// that looks fast.
const farthest = 10e3

// ratio is a target before it is measured: the round trip of one cell over
// that of another, at p50.
type ratio struct {
	what       string
	over       string // transport above the line
	under      string // transport below it
	size       int
	relation   string
	bound      float64
	conditions []Condition
}

// The rows of the design's table that concern the ring. Both sides blocking is
// also judged on one CPU, where no wake-up has to cross to a CPU that sleeps,
// the noisiest thing that is measured here.
var ratios = []ratio{
	{"64 B round trip, spinning: ring / bare atomic ping-pong", "ring-spin", "atomic", 64, "≤", 2, []Condition{Free}},
	{"64 B round trip, blocking: ring / bare futex ping-pong", "ring-block", "futex", 64, "≤", 1.5, []Condition{Free, Pinned}},
	{"64 B round trip, blocking: go-plugin gRPC / ring", "grpc", "ring-block", 64, "≥", 20, []Condition{Free, Pinned}},
	{"1 MiB round trip: go-plugin gRPC / ring", "grpc", "ring-spin", 1 << 20, "≥", 15, []Condition{Free}},
	{"1 MiB round trip: Unix socket / ring", "unix", "ring-spin", 1 << 20, "≥", 2.5, []Condition{Free}},
}

// judge holds the repetitions of all cells against the targets. A target whose
// cells were not measured is left out.
func judge(results [][]Result) []Target {
	var targets []Target
	for _, q := range ratios {
		for _, condition := range q.conditions {
			over, under := pick(results, q.over, q.size, condition), pick(results, q.under, q.size, condition)
			n := min(len(over), len(under))
			if n == 0 {
				continue
			}
			each := make([]float64, n)
			for i := range each {
				each[i] = over[i].P50 / under[i].P50
			}
			targets = append(targets, Target{What: q.what, Condition: condition, Relation: q.relation, Bound: q.bound, Measured: middle(each),
				Disturbed: q.under == "atomic" && median(under).P50 > farthest})
		}
	}
	for _, name := range []string{"ring-spin", "ring-block"} {
		if ring := pick(results, name, 64, Free); len(ring) > 0 {
			targets = append(targets, Target{What: "64 B round trip, " + name + ": allocations", Condition: Free, Relation: "≤", Measured: allocations(ring)})
		}
	}
	for i := range targets {
		t := &targets[i]
		t.Held = !t.Disturbed && (t.Relation == "≤" && t.Measured <= t.Bound || t.Relation == "≥" && t.Measured >= t.Bound)
	}
	return targets
}

// allocations per round trip, in whole ones: what the runtime allocates for
// itself in the background is not one in a hundred round trips.
func allocations(rs []Result) float64 {
	n := median(rs).AllocsPerRoundTrip
	if n < 0.01 {
		return 0
	}
	return n
}

// pick finds the repetitions of a cell. Bare transports have no size.
func pick(results [][]Result, name string, size int, condition Condition) []Result {
	for _, rs := range results {
		if len(rs) > 0 && rs[0].Transport == name && rs[0].Condition == condition && (rs[0].Size == size || rs[0].Size == 0) {
			return rs
		}
	}
	return nil
}
