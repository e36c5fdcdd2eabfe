package bench

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

// engineCall is what calling a function of a guest costs in its own process, in
// microseconds (go test -bench Call ./plugins/wasm/internal/engine/wasmer).
const engineCall = 0.9

// farthest is the longest time, in microseconds, that a word takes to another CPU and
// back where two processes really have a CPU each.
const farthest = 10

// coldAim is how long the first answer of a module of up to 3 MB may take, compiled,
// in microseconds.
const coldAim = 60_000

// ratios holds the run against what was aimed at. What it lacks the figures for it
// leaves out.
func ratios(r *Report) (all []Ratio) {
	add := func(what, relation string, bound, over, under float64) {
		if over == 0 || under == 0 {
			return
		}
		q := Ratio{What: what, Relation: relation, Bound: bound, Measured: over / under}
		q.Held = relation == "≤" && q.Measured <= bound || relation == "≥" && q.Measured >= bound
		all = append(all, q)
	}
	const small, large = 64, 1 << 20
	spin, block := r.floor("ring_spinning", small), r.floor("ring_blocking", small)
	session, blocking := r.row("ring", "head", small).SandboxP50, r.row("ring_blocking", "head", small).SandboxP50
	add("ring round trip, 64 B, spinning / two words", "≤", 2, spin, r.floor("atomic", 0))
	add("call into a guest, 64 B, session / ring round trip, spinning, and two engine calls", "≤", 1, session, spin+2*engineCall)
	for i := range all {
		all[i].Disturbed = r.floor("atomic", 0) > farthest
		all[i].Held = all[i].Held && !all[i].Disturbed
	}
	add("ring round trip, 64 B, blocking / futex", "≤", 1.5, block, r.floor("futex", 0))
	add("gRPC round trip, 64 B / ring, blocking", "≥", 20, r.floor("grpc", small), block)
	add("gRPC round trip, 1 MiB / ring, spinning", "≥", 15, r.floor("grpc", large), r.floor("ring_spinning", large))
	add("Unix socket round trip, 1 MiB / ring, spinning", "≥", 2.5, r.floor("unix", large), r.floor("ring_spinning", large))
	add("call into a guest, 64 B, session, blocking / 1.5 ring round trips, blocking, and an engine call", "≤", 1, blocking, 1.5*block+engineCall)
	add("the same call over gRPC / over the ring, 64 B", "≥", 50, r.row("grpc", "head", small).SandboxP50, session)
	add("call lifetime / session, with pauses", "≤", 2, r.row("ring_fresh_paced", "head", small).SandboxP50, r.row("ring_paced", "head", small).SandboxP50)
	add("1 MiB to a guest that reads its head / writing it once", "≤", 2, r.row("ring", "head", large).SandboxP50, r.floor("memcpy", large))
	for _, c := range r.Cold {
		if c.Cached {
			add("first answer of a new host, module compiled / 60 ms", "≤", 1, c.Host, coldAim)
		}
	}
	return all
}

func (r *Report) floor(what string, size int) float64 {
	for _, f := range r.Floors {
		if f.What == what && f.Size == size {
			return f.P50
		}
	}
	return 0
}

func (r *Report) row(way, tool string, size int) Row {
	for _, one := range r.Rows {
		if one.Way == way && one.Tool == tool && one.Size == size {
			return one
		}
	}
	return Row{}
}
