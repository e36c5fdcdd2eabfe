package seccomp

import (
	"errors"
	"fmt"
	"math"

	"golang.org/x/net/bpf"
)

// link turns labels into distances. A conditional jump of BPF reaches 255
// instructions; one that has to go further goes to an unconditional jump beside
// it, which reaches anywhere. Such a detour makes the program longer and other
// jumps with it, so this is repeated until nothing changes. Pieces only ever
// grow, so it ends.
func (a *assembler) link() ([]bpf.Instruction, error) {
	far := make([][2]bool, len(a.pieces)) // detours for yes and not
	for {
		at := a.layout(far)
		grown := false
		for i, p := range a.pieces {
			if !p.jump {
				continue
			}
			for side, to := range []label{p.yes, p.not} {
				if far[i][side] {
					continue
				}
				distance, err := a.distance(at, i, to)
				if err != nil {
					return nil, err
				}
				if distance > math.MaxUint8 {
					far[i][side], grown = true, true
				}
			}
		}
		if !grown {
			return a.emit(far, at)
		}
	}
}

// layout gives the position of each piece, and that of the end.
func (a *assembler) layout(far [][2]bool) []int {
	at := make([]int, len(a.pieces)+1)
	for i := range a.pieces {
		size := 1
		for _, detour := range far[i] {
			if detour {
				size++
			}
		}
		at[i+1] = at[i] + size
	}
	return at
}

// distance counts the instructions between piece i's own first one and a label.
func (a *assembler) distance(at []int, i int, to label) (int, error) {
	target := i + 1
	if to != next {
		var ok bool
		if target, ok = a.labels[to]; !ok {
			return 0, errors.New("a jump to a place that does not exist")
		}
	}
	if target <= i || target >= len(a.pieces) {
		return 0, fmt.Errorf("a jump from piece %d to %d of %d", i, target, len(a.pieces))
	}
	return at[target] - at[i] - 1, nil
}

func (a *assembler) emit(far [][2]bool, at []int) ([]bpf.Instruction, error) {
	var out []bpf.Instruction
	for i, p := range a.pieces {
		if !p.jump {
			out = append(out, p.plain)
			continue
		}
		j := bpf.JumpIf{Cond: p.cond, Val: p.val}
		var detours []bpf.Instruction
		for side, to := range []label{p.yes, p.not} {
			distance, err := a.distance(at, i, to)
			if err != nil {
				return nil, err
			}
			if far[i][side] {
				// The detour stands len(detours)+1 further on.
				detour := bpf.Jump{Skip: uint32(distance - len(detours) - 1)}
				distance = len(detours)
				detours = append(detours, detour)
			}
			if side == 0 {
				j.SkipTrue = uint8(distance)
			} else {
				j.SkipFalse = uint8(distance)
			}
		}
		out = append(append(out, j), detours...)
	}
	return out, nil
}
