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
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/internal/pingpong"
)

// Main runs the command line and returns the process's exit code.
func Main() int {
	pingpong.Child() // of a benchmark, which executes this program again
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	// The first signal ends what runs, in order. Should that hang, the second
	// finds the system's own handling and ends the process.
	context.AfterFunc(ctx, stop)
	// Without a handler, a write to a pipe that nobody reads would end the
	// process at once, and leave its run folder behind.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	a := &app{in: os.Stdin, out: &stdout{file: os.Stdout, stop: cancel}, err: os.Stderr}
	return a.run(ctx, os.Args[1:])
}

// app is one run of the command line.
type app struct {
	in  io.Reader
	out *stdout
	err io.Writer

	policyPath string
	vars       []string
	json       bool
	verbose    bool
}

func (a *app) run(ctx context.Context, args []string) int {
	root := a.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	switch lost := a.out.err(); {
	case lost != nil:
		err = lost
	case err == nil:
		return exitOK
	case ctx.Err() != nil && exitCode(err) != exitUsage:
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
  ringfence mcp -p ringfence.hcl
  ringfence validate -p ringfence.hcl
  ringfence inspect tool.wasm
  ringfence new weather
  ringfence test weather
  ringfence demo`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noSuchCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SuggestionsMinimumDistance = 2 // letters
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.PersistentFlags().BoolVar(&a.json, "json", false, "print JSON, errors too")
	root.PersistentFlags().BoolVarP(&a.verbose, "verbose", "v", false, "log what the host and the sandboxes do to standard error")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%s; see `%s --help`", err, cmd.CommandPath())
	})
	root.AddCommand(a.callCommand(), a.toolsCommand(), a.validateCommand(), a.inspectCommand(),
		a.mcpCommand(), a.newCommand(), a.testCommand(), a.cacheCommand(), a.statusCommand(), a.doctorCommand(), a.benchCommand(), a.demoCommand(), a.versionCommand())
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() { // cobra's own shrug at a name they do not know
		switch cmd.Name() {
		case "completion":
			cmd.Args, cmd.RunE = noSuchCommand, func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		case "help":
			cmd.Args = func(_ *cobra.Command, args []string) error { return noSuchTopic(root, args) }
		}
	}
	return root
}

// noSuchCommand is cobra's suggestion of a command in our own words.
func noSuchCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := fmt.Sprintf("; see `%s --help`", cmd.CommandPath())
	if s := cmd.SuggestionsFor(args[0]); len(s) > 0 {
		hint = "; did you mean " + strings.Join(s, " or ") + "?"
	}
	return usagef("there is no command %q%s", args[0], hint)
}

// noSuchTopic finds the first name of a command's path that no command has.
func noSuchTopic(cmd *cobra.Command, path []string) error {
	for _, name := range path {
		i := slices.IndexFunc(cmd.Commands(), func(c *cobra.Command) bool { return c.Name() == name })
		if i < 0 {
			return noSuchCommand(cmd, []string{name})
		}
		cmd = cmd.Commands()[i]
	}
	return nil
}

// exactArgs is cobra.ExactArgs with names instead of numbers.
func exactArgs(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) == len(names) {
			return nil
		}
		takes := "no arguments"
		if len(names) > 0 {
			takes = strings.Join(names, " and ")
		}
		return usagef("%s takes %s, but got %s; see `%s --help`", cmd.CommandPath(), takes, count(len(args), "argument"), cmd.CommandPath())
	}
}

func usagef(format string, args ...any) error {
	return &usageError{fmt.Sprintf(format, args...)}
}

// usageError is a mistake of the user's.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

var errInterrupted = errors.New("interrupted")
