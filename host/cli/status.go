package cli

import (
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/host"
)

func (a *app) statusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the sandboxes of running hosts, and how their calls travel",
		Long: `Status asks every host that runs with the policy's state_dir: one line for each
sandbox process, with its engine (wasmer or wazero, native for a program without
one), its transport (ring or grpc), the size of the rings of its
calls and of what they ask for, how full the fullest is, and why a sandbox has no
ring, or one that stays full and does not grow. --json has every ring, with its counters.

A host that runs and does not answer within two seconds is named ("problems" in JSON),
and the exit code is 4.`,
		Example: `  ringfence status
  ringfence status -p ringfence.hcl --json`,
		Args: exactArgs(),
		RunE: func(*cobra.Command, []string) error { return a.status() },
	}
	a.policyFlags(cmd)
	return cmd
}

// statusReport is how --json prints it.
type statusReport struct {
	Hosts []host.HostStatus `json:"hosts"`
	// Problems has a line for each host that runs and could not be asked.
	Problems []string `json:"problems,omitempty"`
}

// errHosts means that a host which runs could not be asked.
var errHosts = errors.New("not every host that runs answers")

func (a *app) status() error {
	policy, err := a.loadPolicy(true)
	if err != nil {
		return err
	}
	hosts, failed := host.Running(policy.Settings())
	if failed != nil {
		failed = fmt.Errorf("%w\n%w", errHosts, failed)
	}
	if a.json {
		report := statusReport{Hosts: hosts}
		if failed != nil {
			report.Problems = strings.Split(failed.Error(), "\n")[1:]
			failed = errReported{failed}
		}
		return errors.Join(failed, a.printJSON(report))
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	lines := 0
	for _, h := range hosts {
		for _, s := range h.Sandboxes {
			if lines == 0 {
				fmt.Fprintln(w, "HOST\tPLUGIN\tENGINE\tPID\tSTATE\tTRANSPORT\tRINGS\tFILL\tCALLS\tMESSAGES\tREFUSED\tWHY")
			}
			lines++
			fmt.Fprintln(w, statusLine(h, s))
		}
	}
	if lines == 0 {
		fmt.Fprintf(w, "no sandbox runs (%s)\n", count(len(hosts), "host"))
	}
	return errors.Join(failed, w.Flush())
}

func statusLine(h host.HostStatus, s host.SandboxStatus) string {
	state, rings, fill, messages := "idle", "-", 0.0, uint64(0)
	if s.Busy {
		state = "busy"
	}
	var sizes []string // of each lane
	for i, r := range s.Rings {
		if i%2 == 0 {
			sizes = append(sizes, size(r.Bytes))
		}
		fill, messages = max(fill, r.Fill), messages+r.Messages
	}
	full, carried := "-", "-"
	if len(s.Rings) > 0 {
		rings = strings.Join(sizes, "+")
		if s.Windows {
			rings += ", windows"
		}
		if s.Grown > 0 {
			rings += fmt.Sprintf(", grown %d×", s.Grown)
		}
		full, carried = fmt.Sprintf("%.0f%%", fill), fmt.Sprint(messages)
	}
	why := s.Reason
	if s.Crowded != "" {
		why = "a ring stays full: " + s.Crowded
	}
	return fmt.Sprintf("%d\t%s\t%s\t%d\t%s\t%s\t%s\t%s\t%d\t%s\t%d\t%s",
		h.PID, s.Plugin, s.Engine, s.PID, state, s.Transport, rings, full, s.Calls, carried, s.Refused, why)
}
