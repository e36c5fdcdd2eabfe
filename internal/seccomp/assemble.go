package seccomp

import (
	"cmp"
	"fmt"
	"slices"

	"golang.org/x/net/bpf"
)

// Where the kernel's struct seccomp_data has what a filter looks at. Words are
// in the machine's own order, which is little-endian on both architectures.
const (
	offNumber = 0
	offArch   = 4
	offArgs   = 16
	dataSize  = offArgs + 6*8
)

func offLow(arg int) uint32  { return uint32(offArgs + 8*arg) }
func offHigh(arg int) uint32 { return offLow(arg) + 4 }

// x32Bit marks calls of the x32 ABI: the same architecture as far as the arch
// word goes, other numbers, and kernel code that hardly anybody uses.
const x32Bit = 0x40000000

// maxProgram is BPF_MAXINSNS: the kernel refuses longer filters.
const maxProgram = 4096

// Filter is an assembled table.
type Filter struct {
	arch    Arch
	program []bpf.Instruction
	looks   map[uint32][]int // by number of the call
}

// Len is the number of instructions.
func (f Filter) Len() int { return len(f.program) }

// Looks lists the arguments of a call that the filter looks at.
func (f Filter) Looks(number uint32) []int { return f.looks[number] }

// Assemble makes the filter for one architecture. Rules for calls that do not
// exist there are left out.
func (t Table) Assemble(arch Arch) (Filter, error) {
	if arch.audit() == 0 {
		return Filter{}, fmt.Errorf("%w: no system-call table for %s", ErrUnsupported, arch)
	}
	if err := t.check(); err != nil {
		return Filter{}, err
	}
	a := &assembler{labels: map[label]int{}, returns: map[Action]label{}}
	// A call of another architecture would be judged by the wrong numbers.
	a.load(offArch)
	a.jump(bpf.JumpEqual, arch.audit(), next, a.returning(Kill))
	a.load(offNumber)
	if arch == AMD64 {
		a.jump(bpf.JumpGreaterOrEqual, x32Bit, a.returning(Kill), next)
	}
	var here []numbered
	for _, r := range t.Rules {
		if n, ok := arch.Number(r.Syscall); ok {
			here = append(here, numbered{n, r})
		}
	}
	slices.SortFunc(here, func(x, y numbered) int { return cmp.Compare(x.number, y.number) })
	a.search(here, a.returning(t.Default))
	a.flush()
	program, err := a.link()
	if err != nil {
		return Filter{}, err
	}
	if len(program) > maxProgram {
		return Filter{}, fmt.Errorf("a filter of %d instructions (at most %d)", len(program), maxProgram)
	}
	f := Filter{arch: arch, program: program, looks: map[uint32][]int{}}
	for _, n := range here {
		f.looks[n.number] = n.rule.looks()
	}
	return f, nil
}

// label stands for a place in the program that may not be known yet. All jumps
// of a BPF program go forward.
type label int

const next label = 0 // the following instruction

// piece is an instruction, or a conditional jump between labels.
type piece struct {
	plain    bpf.Instruction
	jump     bool
	cond     bpf.JumpTest
	val      uint32
	yes, not label
}

type assembler struct {
	pieces  []piece
	labels  map[label]int // index into pieces
	last    label
	returns map[Action]label
}

func (a *assembler) label() label {
	a.last++
	return a.last
}

func (a *assembler) place(l label) { a.labels[l] = len(a.pieces) }

func (a *assembler) plain(i bpf.Instruction) { a.pieces = append(a.pieces, piece{plain: i}) }

func (a *assembler) load(offset uint32) { a.plain(bpf.LoadAbsolute{Off: offset, Size: 4}) }

func (a *assembler) jump(cond bpf.JumpTest, val uint32, yes, not label) {
	a.pieces = append(a.pieces, piece{jump: true, cond: cond, val: val, yes: yes, not: not})
}

// returning is the place that answers with an action. It comes at the end of
// the program, once for each action.
func (a *assembler) returning(action Action) label {
	l, ok := a.returns[action]
	if !ok {
		l = a.label()
		a.returns[action] = l
	}
	return l
}

func (a *assembler) flush() {
	actions := make([]Action, 0, len(a.returns))
	for action := range a.returns {
		actions = append(actions, action)
	}
	slices.Sort(actions)
	for _, action := range actions {
		a.place(a.returns[action])
		a.plain(bpf.RetConstant{Val: uint32(action)})
	}
}

type numbered struct {
	number uint32
	rule   Rule
}

// search halves the sorted rules until one is left. The number of the call is
// in the accumulator.
func (a *assembler) search(rules []numbered, fallback label) {
	switch len(rules) {
	case 0:
		a.jump(bpf.JumpEqual, 0, fallback, fallback)
	case 1:
		a.rule(rules[0], fallback)
	default:
		middle, upper := len(rules)/2, a.label()
		a.jump(bpf.JumpGreaterOrEqual, rules[middle].number, upper, next)
		a.search(rules[:middle], fallback)
		a.place(upper)
		a.search(rules[middle:], fallback)
	}
}

// rule tries the forms one after the other.
func (a *assembler) rule(n numbered, fallback label) {
	r := n.rule
	then := a.returning(r.Then)
	if len(r.When) == 0 {
		a.jump(bpf.JumpEqual, n.number, then, fallback)
		return
	}
	a.jump(bpf.JumpEqual, n.number, next, fallback)
	for i, form := range r.When {
		otherwise := a.label()
		if i == len(r.When)-1 {
			otherwise = a.returning(r.Else)
		}
		for j, c := range form {
			holds := next
			if j == len(form)-1 {
				holds = then
			}
			a.argument(c, holds, otherwise)
		}
		if i < len(r.When)-1 {
			a.place(otherwise)
		}
	}
}

// argument goes to holds when the check holds, else to otherwise.
func (a *assembler) argument(c Check, holds, otherwise label) {
	if c.Long {
		a.load(offHigh(c.Arg))
		a.jump(bpf.JumpEqual, 0, next, otherwise)
	}
	a.load(offLow(c.Arg))
	if c.Mask != ^uint32(0) {
		a.plain(bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: c.Mask})
	}
	after := a.label()
	yes := holds
	if yes == next {
		yes = after
	}
	for i, v := range c.In {
		not := next
		if i == len(c.In)-1 {
			not = otherwise
		}
		a.jump(bpf.JumpEqual, v, yes, not)
	}
	a.place(after)
}
