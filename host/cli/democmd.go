package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/host/cli/demo"
)

func (a *app) demoCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "See tools do honest work and get stopped doing other things",
		Long: `Demo runs honest and hostile tools under a policy, against a local server that
stands in for the internet and prints what reached it. Nothing leaves this
machine. It fails when anything goes otherwise than it should.

The first run compiles the demo's modules, which takes a few seconds each.`,
		Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			tools, err := shippedTools()
			if err != nil {
				return err
			}
			config := demo.Config{Out: a.out, Color: colorful(a.out), Tools: tools, Options: a.hostOptions()}
			if a.json {
				config.Out = io.Discard
			}
			report, err := demo.Run(cmd.Context(), config)
			if err != nil || !a.json {
				return err
			}
			return a.printJSON(demonstrated{true, report})
		},
	}
}

// demonstrated is how --json prints the demo.
type demonstrated struct {
	OK bool `json:"ok"`
	*demo.Report
}

// shippedTools is the folder of the first-party modules, beside the executable.
func shippedTools() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find the demo's tools: %w", err)
	}
	if self, err = filepath.EvalSymlinks(self); err != nil {
		return "", fmt.Errorf("find the demo's tools: %w", err)
	}
	tools := filepath.Join(filepath.Dir(self), "tools")
	if _, err := os.Stat(tools); errors.Is(err, fs.ErrNotExist) {
		return "", usagef("the demo's tools are not at %s: build them with `make`, or keep the folder beside the ringfence binary", tools)
	}
	return tools, nil
}
