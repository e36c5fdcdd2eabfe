package seccomp

import "fmt"

// Profile is a pair of filters for one kind of process.
type Profile string

// The profiles, by the names that a policy gives them.
const (
	WASM   Profile = "wasm"
	Native Profile = "native"
)

// Stage is how far a process has got; see the package comment.
type Stage int

// The stages. Two is stacked on One, and does nothing without it.
const (
	One Stage = 1
	Two Stage = 2
)

// Params are what the tables need to know about the process.
type Params struct {
	// PID is the process's own number, as it sees it.
	PID int
	// ExecFD, if not 0, is the descriptor whose file the process executes once
	// stage one is in force; it must be close-on-exec. For third parties' programs.
	ExecFD int
	// Ring says that RingOutFD and RingInFD are a ring's memory files, and stay. For
	// third parties' programs; without it they map nothing shared.
	Ring bool
}

// RingOutFD and RingInFD are what a third party's program has its ring under. A
// filter sees no files, but it sees their numbers: it lets these two be mapped
// shared, and lets nothing be put in their place.
const (
	RingOutFD = 5
	RingInFD  = 6
)

// Table is the table of rules for a stage.
func (p Profile) Table(stage Stage, params Params) (Table, error) {
	if params.PID <= 0 {
		return Table{}, fmt.Errorf("seccomp profile %s: process number %d", p, params.PID)
	}
	switch {
	case p == WASM && stage == One && params.ExecFD == 0:
		return wasmOne(params), nil
	case p == WASM && stage == Two && params.ExecFD == 0:
		return wasmTwo(), nil
	case p == WASM && stage == One:
		return wasmNative(params), nil
	case p == Native && stage == One:
		return nativeOne(params), nil
	case stage == Two && (p == Native || p == WASM): // what is taken away is the same
		return nativeTwo(), nil
	}
	return Table{}, fmt.Errorf("no seccomp profile %q with a stage %d and descriptor %d to execute", string(p), stage, params.ExecFD)
}

// Filter assembles the table of a stage.
func (p Profile) Filter(stage Stage, params Params, arch Arch) (Filter, error) {
	table, err := p.Table(stage, params)
	if err != nil {
		return Filter{}, err
	}
	return table.Assemble(arch)
}
