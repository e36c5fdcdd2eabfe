package cli

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/host/internal/cases"
)

// errCases says that cases failed. What and why has been printed by then.
var errCases = errors.New("cases failed")

func (a *app) testCommand() *cobra.Command {
	var run, plugin string
	cmd := &cobra.Command{
		Use:   "test [DIR | FILE]",
		Short: "Run a plugin's test cases against the real sandbox",
		Long: `Test runs the cases in *.case.hcl and *.case.json files: each calls one tool in a
sandbox of its own, with what the case grants, and compares what comes of it. HTTP
requests are answered by the case; one that it has no answer for fails the case, and
nothing ever reaches the network. docs/writing-a-tool.md explains how to write cases.

The plugin is the one that --plugin names, or plugin = "…" in the file, or the only
.wasm in the folder.

Exit codes: 0 all passed, 1 some failed, 2 a mistake in the command or in a case.`,
		Example: `  ringfence test
  ringfence test plugins/weather --run 'celsius|fahrenheit'
  ringfence test --plugin ./weather.wasm cases --json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usagef("%s takes one folder or file, not %d; see `%s --help`", cmd.CommandPath(), len(args), cmd.CommandPath())
			}
			return nil
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveDefault
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			path := "."
			if len(args) == 1 {
				path = args[0]
			}
			filter, err := regexp.Compile(run)
			if err != nil {
				return usagef("--run %q is not a regular expression: %s", run, strings.TrimPrefix(err.Error(), "error parsing regexp: "))
			}
			return a.test(cmd, path, plugin, filter)
		},
	}
	cmd.Flags().StringVarP(&run, "run", "r", "", "run only the cases whose name matches this regular expression")
	cmd.Flags().StringVar(&plugin, "plugin", "", "the plugin's file, whatever the cases say")
	cmd.MarkFlagFilename("plugin", "wasm")
	return cmd
}

// tested is how --json prints a run.
type tested struct {
	OK      bool         `json:"ok"`
	Passed  int          `json:"passed"`
	Failed  int          `json:"failed"`
	Skipped int          `json:"skipped"`
	Cases   []testedCase `json:"cases"`
}

type testedCase struct {
	Name       string   `json:"name"`
	File       string   `json:"file"`
	Line       int      `json:"line"`
	Passed     bool     `json:"passed"`
	DurationMS float64  `json:"duration_ms"` // of the case; in the sandbox is less
	Problems   []string `json:"problems"`
}

func (a *app) test(cmd *cobra.Command, path, plugin string, filter *regexp.Regexp) error {
	all, err := cases.Find(path, plugin)
	if err != nil {
		return err
	}
	runner := cases.Runner{Options: a.hostOptions()}
	report := tested{Cases: []testedCase{}}
	for i := range all {
		c := &all[i]
		if !filter.MatchString(c.Name) {
			report.Skipped++
			continue
		}
		start := time.Now()
		outcome, err := runner.Case(cmd.Context(), c)
		if err != nil {
			return err
		}
		done := testedCase{c.Name, c.File, c.Line, len(outcome.Problems) == 0, ms(time.Since(start)), outcome.Problems}
		if done.Passed {
			report.Passed++
			done.Problems = []string{}
		} else {
			report.Failed++
		}
		report.Cases = append(report.Cases, done)
		if !a.json {
			a.showCase(done)
		}
	}
	report.OK = report.Failed == 0
	if len(report.Cases) == 0 {
		return usagef("--run %q matches none of the %s in %s", filter, count(len(all), "case"), path)
	}
	if a.json {
		if err := a.printJSON(report); err != nil {
			return err
		}
	} else {
		a.showSum(report)
	}
	if !report.OK {
		return errCases
	}
	return nil
}

// showCase prints a case when it has ended: one line, and what is wrong with it.
func (a *app) showCase(c testedCase) {
	word, colour := "pass", "32"
	if !c.Passed {
		word, colour = "FAIL", "31"
	}
	if colorful(a.out) {
		word = "\x1b[" + colour + "m" + word + "\x1b[0m"
	}
	fmt.Fprintf(a.out, "%s  %s (%.0f ms)\n", word, c.Name, c.DurationMS)
	if c.Passed {
		return
	}
	fmt.Fprintf(a.out, "      %s:%d\n", c.File, c.Line)
	for _, problem := range c.Problems {
		a.out.Write(a.shown([]byte("      " + strings.ReplaceAll(problem, "\n", "\n      ") + "\n")))
	}
}

func (a *app) showSum(r tested) {
	parts := []string{count(r.Passed, "case") + " passed"}
	if r.Failed > 0 {
		parts = append(parts, fmt.Sprintf("%d failed", r.Failed))
	}
	if r.Skipped > 0 {
		parts = append(parts, fmt.Sprintf("%d not run", r.Skipped))
	}
	fmt.Fprintln(a.out, strings.Join(parts, ", "))
}
