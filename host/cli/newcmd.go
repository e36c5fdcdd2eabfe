package cli

import (
	"fmt"
	"os"
	"os/exec"
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
README. It overwrites nothing.

The tool is built against the SDK of this ringfence: the released one, or, where
this is no release, the checkout that it was built in. --sdk names another.`,
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
	cmd.Flags().StringVar(&p.SDK, "sdk", "", "build against this checkout of ringfence (default this release, or the checkout that ringfence was built in)")
	cmd.MarkFlagDirname("dir")
	cmd.MarkFlagDirname("sdk")
	return cmd
}

// created is how --json prints what was written.
type created struct {
	OK    bool     `json:"ok"`
	Name  string   `json:"name"`
	Dir   string   `json:"dir"`
	SDK   string   `json:"sdk,omitempty"` // the checkout that it is built against
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
	switch {
	case p.SDK != "":
		sdk, err := resolved(p.SDK)
		if err != nil {
			return usagef("--sdk: %s", err)
		}
		p.SDK = sdk
	case scaffold.IsRelease(Version):
		p.Version = Version
	default:
		if program, err := os.Executable(); err == nil {
			if program, err = resolved(program); err == nil {
				p.SDK = scaffold.Checkout(program)
			}
		}
	}
	files, err := p.Write()
	if err != nil {
		return usagef("%s", err)
	}
	next := []string{"cd " + shellWord(p.Dir), "make test" + notInPath(), "make call" + notInPath()}
	if a.json {
		return a.printJSON(created{true, p.Name, p.Dir, p.SDK, files, next})
	}
	for _, f := range files {
		fmt.Fprintln(a.out, filepath.Join(p.Dir, f))
	}
	fmt.Fprintf(a.out, "\nNext:\n  %s\n\nThe tool is in main.go, what it may do in ringfence.hcl.\n", strings.Join(next, "\n  "))
	if p.SDK != "" {
		fmt.Fprintf(a.out, "It is built against the checkout %s (go.mod).\n", p.SDK)
	}
	return nil
}

// notInPath tells make where this program is, unless the one that a shell finds is this.
func notInPath() string {
	program, err := os.Executable()
	if err != nil {
		return ""
	}
	if found, err := exec.LookPath("ringfence"); err == nil {
		here, err1 := os.Stat(program)
		there, err2 := os.Stat(found)
		if err1 == nil && err2 == nil && os.SameFile(here, there) {
			return ""
		}
	}
	return " RINGFENCE=" + shellWord(program)
}

// resolved is a path that holds wherever it is read, and whatever links lead there.
func resolved(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(path)
}

// shellWord quotes a word for a shell where it needs it.
func shellWord(s string) string {
	if s != "" && strings.Trim(strings.ToLower(s), "abcdefghijklmnopqrstuvwxyz0123456789_-./") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
