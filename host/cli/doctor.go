package cli

import (
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/host/internal/printable"
	"github.com/ringfence/ringfence/policies"
)

func (a *app) doctorCommand() *cobra.Command {
	level := string(policies.IsolationStandard)
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Show how well this machine can jail sandboxes",
		Long: `Doctor tries every layer of the kernel jail, for real, in a child that does
nothing else: what versions and settings promise is not looked at. Then it starts
a whole sandbox as a host does. It says what is missing, how to get it, and which
isolation levels of a policy can be had.

Exit code 4 when the level that is asked for cannot be had, or the sandbox did
not start.`,
		Example: `  ringfence doctor
  ringfence doctor --isolation strict --json`,
		Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.doctor(cmd, policies.Isolation(level)) },
	}
	cmd.Flags().StringVar(&level, "isolation", level, "the level that decides the exit code: strict, standard or best_effort")
	_ = cmd.RegisterFlagCompletionFunc("isolation", cobra.FixedCompletions(
		[]string{"strict", "standard", "best_effort"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// errUnjailed is the exit code of a machine that does not give the level; the
// table has been printed.
var errUnjailed = errors.New("this machine does not isolate as asked")

// diagnosis is how --json prints it.
type diagnosis struct {
	Layers []host.Layer                `json:"layers"`
	Levels map[policies.Isolation]bool `json:"levels"`
	// Missing are the layers for want of which a level cannot be had.
	Missing map[policies.Isolation][]host.Layer `json:"missing,omitempty"`
	Asked   policies.Isolation                  `json:"isolation"`
	// Sandbox is how long a whole sandbox took to start; Broken is why it did not.
	Sandbox string `json:"sandbox,omitempty"`
	Broken  string `json:"broken,omitempty"`
	OK      bool   `json:"ok"`
}

func (a *app) doctor(cmd *cobra.Command, level policies.Isolation) error {
	switch level {
	case policies.IsolationStrict, policies.IsolationStandard, policies.IsolationBestEffort:
	default:
		return usagef("--isolation %q: want strict, standard or best_effort", level)
	}
	d, err := host.Doctor(cmd.Context(), host.Options{})
	if err != nil {
		return err
	}
	why := errors.Join(d.Levels[level], d.Broken)
	if a.json {
		v := diagnosis{Layers: d.Layers, Levels: map[policies.Isolation]bool{}, Asked: level, OK: why == nil}
		if d.Broken != nil {
			v.Broken = d.Broken.Error()
		} else {
			v.Sandbox = d.Sandbox.String()
		}
		for l, err := range d.Levels {
			v.Levels[l] = err == nil
			if missing := missing(err); missing != nil {
				if v.Missing == nil {
					v.Missing = map[policies.Isolation][]host.Layer{}
				}
				v.Missing[l] = missing
			}
		}
		if err := a.printJSON(v); err != nil {
			return err
		}
	} else if err := a.printDiagnosis(d); err != nil {
		return err
	}
	if why != nil {
		return errUnjailed
	}
	return nil
}

// missing are the layers that a level lacks. A layer can be there and not be
// enough for it, as an old Landlock is.
func missing(err error) []host.Layer {
	if level, ok := errors.AsType[*host.LevelError](err); ok {
		return level.Missing
	}
	return nil
}

func (a *app) printDiagnosis(d host.Diagnosis) error {
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	for _, l := range d.Layers {
		state, text := "yes", l.Note
		if !l.On {
			state, text = "no", l.Why
			if l.Fix != "" {
				text += "\n\t\t" + l.Fix
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", l.Name, state, text)
	}
	if d.Broken != nil {
		fmt.Fprintf(w, "a whole sandbox\tno\t%s\n", printable.Line(d.Broken.Error(), 300))
	} else {
		fmt.Fprintf(w, "a whole sandbox\tyes\tstarted in %s, its first filter in force\n", d.Sandbox.Round(time.Millisecond))
	}
	fmt.Fprintln(w)
	for _, level := range []policies.Isolation{policies.IsolationStrict, policies.IsolationStandard, policies.IsolationBestEffort} {
		state, text := "yes", ""
		if err := d.Levels[level]; err != nil {
			var lacks []string
			for _, l := range missing(err) {
				if l.On { // but not enough of it; the table above does not say so
					l.Name += " (" + l.Why + ": " + l.Fix + ")"
				}
				lacks = append(lacks, l.Name)
			}
			state, text = "no", "for want of: "+strings.Join(lacks, ", ")
		}
		fmt.Fprintf(w, "isolation = %q\t%s\t%s\n", level, state, text)
	}
	return w.Flush()
}
