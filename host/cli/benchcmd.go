package cli

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"

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
the ring and over gRPC, in either engine, with arguments of several sizes. Beside
that, in the same interleaved run, it measures bare round trips between two
processes, bare calls within each engine, first calls with and without the module
compiled, fresh instances, decisions of a policy with 10000 rules and 100 idle
sandboxes, and holds all against what was aimed at. It says what machine that was
and which layers of the jail there were. Only ratios within a run mean anything: a
busy machine makes all of it slower.

--peer names a program that measures the calls of another library, such as
bin/extism-peer, which "make bin/extism-peer" builds.

A run takes some two and a half minutes, a quick one fifteen seconds, without the
larger module and the idle sandboxes; each compiles the tool, which takes a few of
them. Progress goes to standard error. Ctrl-C ends it, and all that it started.`,
		Example: `  ringfence bench
  ringfence bench --quick --json
  ringfence bench --svg calls.svg --peer bin/extism-peer`,
		Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			tools, err := shippedTools()
			if err != nil {
				return err
			}
			if svg != "" { // a mistake in it should not cost the run
				if err := writable(svg); err != nil {
					return usagef("--svg: %v", err)
				}
			}
			if peer != "" {
				if _, err := exec.LookPath(peer); err != nil {
					return usagef("--peer: %v (make bin/extism-peer builds one)", err)
				}
			}
			report, err := bench.Run(cmd.Context(), bench.Config{
				Out: a.err, Tools: tools, Options: a.hostOptions(), Quick: quick, Peer: peer,
			})
			if err == nil && svg != "" {
				err = writeFile(svg, report.WriteSVG)
			}
			switch {
			case err != nil && cmd.Context().Err() != nil:
				return errInterrupted
			case err != nil:
				return err
			case a.json:
				return a.printJSON(report)
			}
			return report.Print(a.out)
		},
	}
	cmd.Flags().BoolVar(&quick, "quick", false, "fewer sizes, one round, no larger module, no idle sandboxes")
	cmd.Flags().StringVar(&peer, "peer", "", "a `program` that measures another library's calls")
	cmd.Flags().StringVar(&svg, "svg", "", "also plot the calls into this `file`")
	return cmd
}

// writable says whether a file can be written, and leaves all as it is.
func writable(name string) error {
	_, before := os.Lstat(name)
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o666)
	if err != nil {
		return err
	}
	err = f.Close()
	if errors.Is(before, fs.ErrNotExist) {
		err = errors.Join(err, os.Remove(name))
	}
	return err
}

func writeFile(name string, write func(io.Writer) error) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}
