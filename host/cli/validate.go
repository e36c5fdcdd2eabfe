package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/host/internal/module"
	"github.com/ringfence/ringfence/host/internal/native"
	"github.com/ringfence/ringfence/policies"
)

func (a *app) validateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "validate",
		Short: "Check a policy without running anything",
		Long: `Validate reads a policy and says what is wrong with it, with file, line and
remedy. It starts no process, opens no connection and reads no secret: variables
that are not set on this machine are only warned about.

Modules and native programs that are there are read, too: one that is not the
pinned one, cannot be a plugin or does not fit what its block says is an error.
One that is not there is only noted, since it may be built later.`,
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
	// Kind is "wasm" or "native", "" when the source is not there; Seccomp is the
	// filter that it runs under.
	Kind policies.Kind `json:"kind,omitempty"`
	// Engine is what runs a module.
	Engine     string            `json:"engine,omitempty"`
	Seccomp    policies.Filter   `json:"seccomp,omitempty"`
	Workspaces map[string]string `json:"workspaces,omitempty"` // by name: "read" or "write"
	State      uint64            `json:"state_bytes,omitempty"`
	Invokes    map[string]string `json:"invokes,omitempty"` // by alias: the tool
}

func (a *app) validate() error {
	policy, err := a.loadPolicy(true)
	if err != nil {
		return err
	}
	v := validated{OK: true, Files: policy.Files(), Digest: policy.Digest(), Warnings: policy.Warnings(), Plugins: []validatedPlugin{}}
	var unusable []error
	for _, p := range policy.Plugins() {
		kind, err := checkSource(p)
		unusable = append(unusable, err)
		one := validatedPlugin{Name: p.Name(), Source: p.Source(), Pinned: p.SHA256() != "", HTTP: p.HTTP() != nil, Built: kind != "", Kind: kind}
		if kind != "" {
			one.Seccomp = p.Filter(kind)
		}
		if kind == policies.KindWASM {
			one.Engine = p.Engine()
		}
		for _, w := range p.Workspaces() {
			if one.Workspaces == nil {
				one.Workspaces = map[string]string{}
			}
			one.Workspaces[w.Name] = w.Access()
		}
		if grant := p.State(); grant != nil {
			one.State = grant.Size
		}
		for _, i := range p.Invokes() {
			if one.Invokes == nil {
				one.Invokes = map[string]string{}
			}
			one.Invokes[i.Alias] = i.Target()
		}
		v.Plugins = append(v.Plugins, one)
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
		switch {
		case p.Kind == policies.KindNative:
			note += ", a native program"
		case p.Engine != "":
			note += ", under " + p.Engine
		}
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

// checkSource holds a plugin's source, if it is there, against what the policy
// says of it, as the first call would. It returns the kind, "" for a source that
// is not there.
func checkSource(p *policies.Plugin) (policies.Kind, error) {
	path := p.Source()
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	kind, err := native.Kind(path)
	if err != nil {
		return "", unusableSource(p, p.DeclRange()+": "+err.Error(), err)
	}
	if err := p.Fits(kind); err != nil {
		return kind, unusableSource(p, err.Error(), err)
	}
	if kind == policies.KindNative {
		err = checkProgram(p)
	} else {
		_, err = module.Load(path, p.SHA256(), p.Limits().Memory)
	}
	if err != nil {
		return kind, unusableSource(p, p.DeclRange()+": "+err.Error(), err)
	}
	return kind, nil
}

func checkProgram(p *policies.Plugin) error {
	program, err := native.Inspect(p.Source())
	if err != nil {
		return err
	}
	if err := program.Check(p.Source(), p.Filter(policies.KindNative)); err != nil || p.SHA256() == "" {
		return err
	}
	digest, _, err := native.Digest(p.Source())
	if err == nil && digest != p.SHA256() {
		err = &module.PinError{Path: p.Source(), Want: p.SHA256(), Got: digest}
	}
	return err
}

func unusableSource(p *policies.Plugin, detail string, err error) error {
	return &host.CallError{Kind: host.ErrModule, Tool: p.Name(), Detail: detail, Err: err}
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
