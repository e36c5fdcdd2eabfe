package cli

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/host/cli/bench"
)

func (a *app) benchCommand() *cobra.Command {
	quick := false
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure what a call costs on this machine",
		Long: `Bench calls a tool that does next to nothing, in its jailed sandbox process, over
the ring and over gRPC, with arguments of several sizes, in one interleaved run.
It prints the whole call, and the part of it between host and sandbox. Only
ratios within a run mean anything: a busy machine makes all of it slower.

The first run compiles the tool, which takes a few seconds.`,
		Example: `  ringfence bench
  ringfence bench --quick --json`,
		Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			tools, err := shippedTools()
			if err != nil {
				return err
			}
			config := bench.Config{Out: a.err, Tools: tools, Options: a.hostOptions(), Quick: quick}
			if a.json {
				config.Out = io.Discard
			}
			report, err := bench.Run(cmd.Context(), config)
			switch {
			case err != nil:
				return err
			case a.json:
				return a.printJSON(report)
			}
			return report.Print(a.out)
		},
	}
	cmd.Flags().BoolVar(&quick, "quick", false, "fewer sizes, and one round")
	return cmd
}
