package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/host/internal/module"
	"github.com/ringfence/ringfence/policies"
)

func (a *app) validateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "validate",
		Short: "Check a policy without running anything",
		Long: `Validate reads a policy and says what is wrong with it, with file, line and
remedy. It starts no process, opens no connection and reads no secret: variables
that are not set on this machine are only warned about.

Modules that are there are read, too: one that is not the pinned one, cannot be a
plugin or needs more memory than its limit is an error. One that is not there is
only noted, since it may be built later.`,
		Example: `  ringfence validate
  ringfence validate -p deploy/ --json`,
		Args: exactArgs(),
		RunE: func(*cobra.Command, []string) error { return a.validate() },
	}
	a.policyFlags(cmd)
	return cmd
}

// validated is how --json prints a policy that is valid.
type validated struct {
	OK       bool               `json:"ok"`
	Files    []string           `json:"files"`
	Digest   string             `json:"sha256"`
	Plugins  []validatedPlugin  `json:"plugins"`
	Warnings []policies.Problem `json:"warnings,omitempty"`
}

type validatedPlugin struct {
	Name   string `json:"name"`
	Source string `json:"source"`
	Pinned bool   `json:"pinned"`
	HTTP   bool   `json:"http"`
	Built  bool   `json:"source_exists"`
}

func (a *app) validate() error {
	policy, err := a.loadPolicy(true)
	if err != nil {
		return err
	}
	v := validated{OK: true, Files: policy.Files(), Digest: policy.Digest(), Warnings: policy.Warnings(), Plugins: []validatedPlugin{}}
	var unusable []error
	for _, p := range policy.Plugins() {
		there, err := checkModule(p)
		unusable = append(unusable, err)
		v.Plugins = append(v.Plugins, validatedPlugin{p.Name(), p.Source(), p.SHA256() != "", p.HTTP() != nil, there})
	}
	if err := errors.Join(unusable...); err != nil {
		return err
	}
	if a.json {
		return a.printJSON(v)
	}
	if err := policy.RenderWarnings(a.err, width(a.err), colorful(a.err)); err != nil {
		return err
	}
	for _, p := range v.Plugins {
		note := ""
		if !p.Pinned {
			note += ", not pinned by sha256"
		}
		if !p.Built {
			note += ", source is not there yet"
		}
		fmt.Fprintf(a.out, "plugin %q: %s%s\n", p.Name, p.Source, note)
	}
	fmt.Fprintf(a.out, "The policy is valid: %s in %s.\n", count(len(v.Plugins), "plugin"), count(len(v.Files), "file"))
	return nil
}

// checkModule holds a plugin's module, if it is there, against what the policy
// says of it, as the first call would.
func checkModule(p *policies.Plugin) (there bool, _ error) {
	if _, err := os.Stat(p.Source()); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if _, err := module.Load(p.Source(), p.SHA256(), p.Limits().Memory); err != nil {
		return true, &host.CallError{Kind: host.ErrModule, Tool: p.Name(), Detail: p.DeclRange() + ": " + err.Error(), Err: err}
	}
	return true, nil
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
