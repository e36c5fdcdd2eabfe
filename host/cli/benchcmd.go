package cli

import (
	"errors"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/host/cli/bench"
)

func (a *app) benchCommand() *cobra.Command {
	var quick bool
	var peer, svg string
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure what a call costs on this machine",
		Long: `Bench calls a tool that does next to nothing, in its jailed sandbox process, over
the ring and over gRPC, with arguments of several sizes. Beside that, in the same
interleaved run, it measures bare round trips between two processes, first calls
with and without the module compiled, and holds all against what was aimed at.
Only ratios within a run mean anything: a busy machine makes all of it slower.

--peer names a program that measures the calls of another library, such as
bin/extism-peer, which "make bin/extism-peer" builds.

A run takes about a minute and a half, a quick one twenty seconds; each compiles
the tool at least once, which takes a few of them.`,
		Example: `  ringfence bench
  ringfence bench --quick --json
  ringfence bench --svg calls.svg --peer bin/extism-peer`,
		Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			tools, err := shippedTools()
			if err != nil {
				return err
			}
			config := bench.Config{Out: a.err, Tools: tools, Options: a.hostOptions(), Quick: quick, Peer: peer}
			if a.json {
				config.Out = io.Discard
			}
			report, err := bench.Run(cmd.Context(), config)
			if err == nil && svg != "" {
				err = writeFile(svg, report.WriteSVG)
			}
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
	cmd.Flags().StringVar(&peer, "peer", "", "a `program` that measures another library's calls")
	cmd.Flags().StringVar(&svg, "svg", "", "also plot the calls into this `file`")
	return cmd
}

func writeFile(name string, write func(io.Writer) error) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}
