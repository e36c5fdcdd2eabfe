// Command ringbench measures the ring between two processes beside what it
// replaces, and prints tables, JSON or a plot. See package pingpong for what the
// figures mean.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ringfence/ringfence/internal/pingpong"
)

func main() {
	pingpong.Child()
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "ringbench:", err)
		}
		os.Exit(2)
	}
}

type config struct {
	pingpong.Options
	json bool
	svg  string
	doc  string
	from string
}

func run(args []string, out, progress io.Writer) error {
	c, err := parse(args, progress)
	if err != nil {
		return err
	}
	report, err := measured(c)
	if err != nil {
		return err
	}
	if c.svg != "" {
		if err := writeFile(c.svg, report.WriteSVG); err != nil {
			return err
		}
	}
	if c.doc != "" {
		if err := updateDoc(c.doc, report); err != nil {
			return err
		}
	}
	if c.json {
		return report.WriteJSON(out)
	}
	return report.MarkdownTables(out)
}

func parse(args []string, progress io.Writer) (config, error) {
	c := config{Options: pingpong.Options{Sizes: pingpong.Sizes, Conditions: pingpong.Conditions, Progress: progress}}
	f := flag.NewFlagSet("ringbench", flag.ContinueOnError)
	f.SetOutput(progress)
	quick := f.Bool("quick", false, "three sizes, CPUs free, short: a look, not a result")
	f.BoolVar(&c.json, "json", false, "print JSON instead of tables")
	f.StringVar(&c.svg, "svg", "", "also plot the round trips into this `file`")
	f.StringVar(&c.doc, "doc", "", "also put the tables between the marks in this Markdown `file`")
	f.StringVar(&c.from, "from", "", "measure nothing, take the report from this JSON `file`")
	f.IntVar(&c.Repetitions, "repetitions", 5, "interleaved repetitions of each cell")
	f.DurationVar(&c.Budget, "budget", 150*time.Millisecond, "time for each part of a cell")
	sizes := f.String("sizes", "", "bytes of a message, comma-separated")
	conditions := f.String("conditions", "", "free, pinned, busy, comma-separated")
	transports := f.String("transports", "", "names as in the table, comma-separated")
	if err := f.Parse(args); err != nil {
		return c, err
	}
	if f.NArg() > 0 {
		return c, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	if *quick {
		c.Sizes, c.Conditions = []int{64, 64 << 10, 1 << 20}, []pingpong.Condition{pingpong.Free}
		c.Repetitions, c.Budget = 1, 50*time.Millisecond
	}
	return c, c.choose(*sizes, *conditions, *transports)
}

// choose narrows what is measured.
func (c *config) choose(sizes, conditions, transports string) error {
	if sizes != "" {
		c.Sizes = nil
		for s := range strings.SplitSeq(sizes, ",") {
			n, err := strconv.Atoi(s)
			if err != nil || n < 1 || n > 1<<30 {
				return fmt.Errorf("size %q is not a number of bytes from 1 to %d", s, 1<<30)
			}
			c.Sizes = append(c.Sizes, n)
		}
	}
	if conditions != "" {
		c.Conditions = nil
		for s := range strings.SplitSeq(conditions, ",") {
			if !slices.Contains(pingpong.Conditions, pingpong.Condition(s)) {
				return fmt.Errorf("no condition %q", s)
			}
			c.Conditions = append(c.Conditions, pingpong.Condition(s))
		}
	}
	if transports != "" {
		c.Transports = strings.Split(transports, ",")
	}
	if c.Repetitions < 1 || c.Budget < time.Millisecond {
		return fmt.Errorf("%d repetitions of %v: at least 1 of 1ms", c.Repetitions, c.Budget)
	}
	return nil
}

func measured(c config) (*pingpong.Report, error) {
	if c.from == "" {
		return pingpong.Run(context.Background(), c.Options)
	}
	f, err := os.Open(c.from)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return pingpong.ReadReport(f)
}

func writeFile(name string, write func(io.Writer) error) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}
