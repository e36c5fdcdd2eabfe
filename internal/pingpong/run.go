package pingpong

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
)

// Sizes of the full run, in bytes.
var Sizes = []int{64, 1 << 10, 4 << 10, 64 << 10, 1 << 20, 4 << 20, 64 << 20}

// Options choose what a run measures.
type Options struct {
	Transports  []string // all, if none are named
	Sizes       []int
	Conditions  []Condition
	Repetitions int
	Budget      time.Duration // for each of a cell's two parts
	Gap         time.Duration // between two round trips; see Cell
	Progress    io.Writer     // one line a repetition
}

// Run measures, and gives the report. With the context all of its processes end.
func Run(ctx context.Context, o Options) (*Report, error) {
	cells, err := plan(o)
	if err != nil {
		return nil, err
	}
	results, load := make([][]Result, len(cells)), Load()
	for rep := range o.Repetitions {
		for _, condition := range o.Conditions {
			fmt.Fprintf(o.Progress, "repetition %d of %d, %s\n", rep+1, o.Repetitions, condition)
			err := under(condition, func(cpus []int) error {
				return runCells(ctx, cells, results, condition, cpus)
			})
			if err != nil {
				return nil, err
			}
		}
	}
	return newReport(o, load, results), nil
}

// plan lists the cells of a run in the order in which they are measured.
func plan(o Options) ([]Cell, error) {
	names := o.Transports
	if len(names) == 0 {
		for _, t := range transports() {
			names = append(names, t.Name)
		}
	}
	var cells []Cell
	for _, condition := range o.Conditions {
		for _, name := range names {
			t, err := findTransport(name)
			if err != nil {
				return nil, err
			}
			c := Cell{Transport: t.Name, Waiting: t.Waiting, Condition: condition, BudgetNS: int64(o.Budget), GapNS: int64(o.Gap)}
			if t.bare {
				cells = append(cells, c)
				continue
			}
			for _, c.Size = range o.Sizes {
				cells = append(cells, c)
			}
		}
	}
	return cells, nil
}

func runCells(ctx context.Context, cells []Cell, results [][]Result, condition Condition, cpus []int) error {
	for i, c := range cells {
		if c.Condition != condition {
			continue
		}
		r, err := runCell(ctx, c, cpus)
		if err != nil {
			return err
		}
		results[i] = append(results[i], r)
	}
	return nil
}

// under brings a condition about while f runs. f gets the CPUs to use.
func under(condition Condition, f func(cpus []int) error) error {
	cpus, err := usableCPUs()
	if err != nil {
		return err
	}
	switch condition {
	case Free:
		return f(cpus)
	case Pinned:
		return f(cpus[:1])
	case Busy:
		for _, cpu := range cpus {
			var burner *child
			err := pinned(cpu, func() (err error) {
				burner, err = spawn("burn")
				return err
			})
			if err != nil {
				return err
			}
			defer func() { _ = burner.end() }()
		}
		return f(cpus)
	}
	return fmt.Errorf("no condition %q", condition)
}

// runCell measures one repetition in a worker, which may use the CPUs. The worker
// and its peer end with their standard input, and so with the context.
func runCell(ctx context.Context, c Cell, cpus []int) (r Result, err error) {
	arg, err := json.Marshal(c)
	if err != nil {
		return r, err
	}
	cmd, err := roleCommand("worker " + string(arg))
	if err != nil {
		return r, err
	}
	hold, err := cmd.StdinPipe()
	if err != nil {
		return r, err
	}
	defer func() { _ = hold.Close() }()
	defer context.AfterFunc(ctx, func() { _ = hold.Close() })()
	out, err := cmd.StdoutPipe()
	if err != nil {
		return r, err
	}
	if len(cpus) == 1 {
		err = pinned(cpus[0], cmd.Start)
	} else {
		err = cmd.Start()
	}
	if err != nil {
		return r, err
	}
	err = json.NewDecoder(out).Decode(&r)
	if err := errors.Join(err, cmd.Wait()); err != nil {
		if ctx.Err() != nil {
			return r, context.Cause(ctx)
		}
		return r, fmt.Errorf("%s, %d bytes, %s: %w", c.Transport, c.Size, c.Condition, err)
	}
	return r, nil
}
