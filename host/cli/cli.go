// Package cli is the command line of ringfence: it turns arguments into calls of
// package host, and what comes back into text, JSON and exit codes. It decides
// nothing.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// Main runs the command line and returns the process's exit code.
func Main() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	a := &app{in: os.Stdin, out: os.Stdout, err: os.Stderr}
	return a.run(ctx, os.Args[1:])
}

// app is one run of the command line.
type app struct {
	in       io.Reader
	out, err io.Writer

	policyPath string
	vars       []string
	json       bool
	verbose    bool
}

func (a *app) run(ctx context.Context, args []string) int {
	root := a.root()
	root.SetArgs(args)
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	if ctx.Err() != nil && exitCode(err) != exitUsage {
		err = errInterrupted
	}
	a.report(err)
	return exitCode(err)
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "ringfence",
		Short: "Run tools that nobody has reason to trust",
		Long: `Ringfence runs tools that nobody has reason to trust, for AI assistants and
other programs: each in a sandbox process of its own, as WebAssembly, with no
network, no files and no environment but what an HCL policy grants.`,
		Example: `  ringfence call jq.run '{"program": ".a", "input": {"a": 1}}'
  ringfence validate -p ringfence.hcl
  ringfence inspect tool.wasm
  ringfence demo`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noSuchCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.PersistentFlags().BoolVar(&a.json, "json", false, "print JSON, errors too")
	root.PersistentFlags().BoolVarP(&a.verbose, "verbose", "v", false, "log what the host and the sandboxes do to standard error")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%s; see `%s --help`", err, cmd.CommandPath())
	})
	root.AddCommand(a.callCommand(), a.toolsCommand(), a.validateCommand(), a.inspectCommand(),
		a.cacheCommand(), a.demoCommand(), a.versionCommand())
	root.CompletionOptions.HiddenDefaultCmd = false
	return root
}

// noSuchCommand is cobra's suggestion of a command in our own words.
func noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := "; see `ringfence --help`"
	if s := cmd.SuggestionsFor(args[0]); len(s) > 0 {
		hint = "; did you mean " + strings.Join(s, " or ") + "?"
	}
	return usagef("there is no command %q%s", args[0], hint)
}

// exactArgs is cobra.ExactArgs with names instead of numbers.
func exactArgs(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != len(names) {
			return usagef("%s takes %s, not %d arguments; see `%s --help`",
				cmd.CommandPath(), strings.Join(names, " and "), len(args), cmd.CommandPath())
		}
		return nil
	}
}

func usagef(format string, args ...any) error {
	return &usageError{fmt.Sprintf(format, args...)}
}

// usageError is a mistake of the user's.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

var errInterrupted = errors.New("interrupted")
