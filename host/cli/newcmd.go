package cli

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/host/cli/scaffold"
)

func (a *app) newCommand() *cobra.Command {
	var p scaffold.Plan
	cmd := &cobra.Command{
		Use:   "new NAME",
		Short: "Start a tool: source, tests, cases, policy and Makefile",
		Long: `New writes the beginning of a plugin into a new folder: a tool in Go that works, its
native tests, cases for the sandbox, a policy to call it with, a Makefile and a
README. It overwrites nothing.`,
		Example: `  ringfence new weather
  ringfence new weather --dir tools/weather --module example.com/weather
  ringfence new weather --sdk ~/src/ringfence`,
		Args: exactArgs("NAME"),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			p.Name = args[0]
			return a.create(p)
		},
	}
	cmd.Flags().StringVar(&p.Dir, "dir", "", "the folder to write to (default ./NAME)")
	cmd.Flags().StringVar(&p.Module, "module", "", "the path of the Go module (default NAME)")
	cmd.Flags().StringVar(&p.SDK, "sdk", "", "build against this checkout of ringfence (default the released SDK)")
	cmd.MarkFlagDirname("dir")
	cmd.MarkFlagDirname("sdk")
	return cmd
}

// created is how --json prints what was written.
type created struct {
	OK    bool     `json:"ok"`
	Name  string   `json:"name"`
	Dir   string   `json:"dir"`
	Files []string `json:"files"`
	Next  []string `json:"next"` // commands
}

func (a *app) create(p scaffold.Plan) error {
	if p.Dir == "" {
		p.Dir = p.Name
	}
	if p.Module == "" {
		p.Module = p.Name
	}
	if strings.HasPrefix(Version, "v") {
		p.Version = Version
	}
	if p.SDK != "" {
		sdk, err := filepath.Abs(p.SDK)
		if err != nil {
			return err
		}
		if sdk, err = filepath.EvalSymlinks(sdk); err != nil {
			return usagef("--sdk: %s", err)
		}
		p.SDK = sdk
	}
	files, err := p.Write()
	if err != nil {
		return usagef("%s", err)
	}
	next := []string{"cd " + shellWord(p.Dir)}
	if p.SDK == "" && p.Version == "" {
		next = append(next, "go get github.com/ringfence/ringfence@latest")
	}
	next = append(next, "make test", "make call")
	if a.json {
		return a.printJSON(created{true, p.Name, p.Dir, files, next})
	}
	for _, f := range files {
		fmt.Fprintln(a.out, filepath.Join(p.Dir, f))
	}
	fmt.Fprintf(a.out, "\nNext:\n  %s\n\nThe tool is in main.go, what it may do in ringfence.hcl.\n", strings.Join(next, "\n  "))
	if p.SDK == "" && p.Version == "" {
		fmt.Fprintln(a.err, "ringfence: this build has no version; to build against your checkout, use --sdk")
	}
	return nil
}

// shellWord quotes a word for a shell where it needs it.
func shellWord(s string) string {
	if s != "" && strings.Trim(strings.ToLower(s), "abcdefghijklmnopqrstuvwxyz0123456789_-./") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
