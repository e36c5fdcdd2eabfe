package bench

import "fmt"

// farthest is the longest time, in microseconds, that a word takes to another CPU and
// back where two processes really have a CPU each.
const farthest = 10

// Aims that are no ratios.
const (
	coldAim     = 60_000  // µs, of a module of up to 3 MB, compiled
	coldAimFrom = 3 << 20 // bytes; larger modules have the next one
	largeAim    = 150_000 // µs, of one of 10 MB
	decisionAim = 1       // µs
	privateAim  = 30      // MiB
	idleAim     = 1       // percent of one CPU, of which "0 %" is the aim
)

// ratios holds the run against what was aimed at. What it lacks the figures for it
// leaves out.
//
// A call into a guest is held against a ring that waits as the call does: a call that
// spins while that pays against one between whose round trips as much time passes as
// the host takes between two calls, since both give up spinning in such gaps, and one
// that sleeps against one that sleeps.
func ratios(r *Report) []Ratio {
	j := &judge{r: r}
	const small, large = 64, 1 << 20
	spin, block := r.floor("ring_spinning", small), r.floor("ring_blocking", small)
	gapped, gappedBlock := r.floor("ring_gapped", small), r.floor("ring_blocking_gapped", small)
	j.spinning = true // means nothing without a CPU for each side
	j.add("ring round trip, 64 B, spinning / two words", "≤", 2, spin, r.floor("atomic", 0))
	j.spinning = false
	j.add("ring round trip, 64 B, blocking / futex", "≤", 1.5, block, r.floor("futex", 0))
	j.add("gRPC round trip, 64 B / ring, blocking", "≥", 20, r.floor("grpc", small), block)
	j.add("gRPC round trip, 1 MiB / ring, spinning", "≥", 15, r.floor("grpc", large), r.floor("ring_spinning", large))
	j.add("Unix socket round trip, 1 MiB / ring, spinning", "≥", 2.5, r.floor("unix", large), r.floor("ring_spinning", large))
	for _, e := range []struct{ engine, ring, blocking, grpc string }{
		{"wasmer", "ring", "ring_blocking", "grpc"}, {"wazero", "ring_wazero", "ring_wazero_blocking", "grpc_wazero"},
	} {
		call := r.floor("engine_"+e.engine, 0)
		session, blocking := r.row(e.ring, "head", small).SandboxP50, r.row(e.blocking, "head", small).SandboxP50
		j.add(fmt.Sprintf("call into a guest, %s, 64 B, session / ring round trip with the same gaps, and two engine calls", e.engine), "≤", 1, session, gapped+2*call)
		j.add(fmt.Sprintf("the same, %s, blocking / 1.5 ring round trips, blocking, with the same gaps, and an engine call", e.engine), "≤", 1, blocking, 1.5*gappedBlock+call)
		j.add(fmt.Sprintf("the same, %s, over gRPC / over the ring, 64 B", e.engine), "≥", 50, r.row(e.grpc, "head", small).SandboxP50, session)
		j.add(fmt.Sprintf("1 MiB to a guest that reads its head, %s / writing it once", e.engine), "≤", 2, r.row(e.ring, "head", large).SandboxP50, r.floor("memcpy", large))
	}
	j.add("call lifetime / session, with pauses", "≤", 2, r.row("ring_fresh_paced", "head", small).SandboxP50, r.row("ring_paced", "head", small).SandboxP50)
	for _, c := range r.Cold {
		switch {
		case !c.Cached:
		case c.ModuleBytes <= coldAimFrom:
			j.add(fmt.Sprintf("first answer of a new host, %s, %.1f MB, module compiled / 60 ms", c.Engine, float64(c.ModuleBytes)/1e6), "≤", 1, c.Host, coldAim)
		default:
			j.add(fmt.Sprintf("first answer of a new host, %s, %.1f MB, module compiled / 150 ms", c.Engine, float64(c.ModuleBytes)/1e6), "≤", 1, c.Host, largeAim)
		}
	}
	for _, d := range r.Decisions {
		j.add(fmt.Sprintf("policy decision, %d rules, %s / 1 µs", d.Rules, d.Shape), "≤", 1, d.P50, decisionAim)
	}
	if i := r.Idle; i != nil {
		j.add(fmt.Sprintf("private memory of each of %d idle sandboxes, compiled code and the guest's included / 30 MiB, without these two", i.Sandboxes), "≤", 1, i.Private, privateAim)
		j.add(fmt.Sprintf("CPU of %d idle sandboxes together / 1 %% of one", i.Sandboxes), "≤", 1, max(i.CPU, 0.001), idleAim)
	}
	return j.all
}

// judge collects.
type judge struct {
	r        *Report
	spinning bool // what comes now needs two CPUs
	all      []Ratio
}

func (j *judge) add(what, relation string, bound, over, under float64) {
	if over == 0 || under == 0 {
		return
	}
	q := Ratio{What: what, Relation: relation, Bound: bound, Measured: over / under}
	q.Disturbed = j.spinning && j.r.floor("atomic", 0) > farthest
	q.Held = !q.Disturbed && (relation == "≤" && q.Measured <= bound || relation == "≥" && q.Measured >= bound)
	j.all = append(j.all, q)
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
