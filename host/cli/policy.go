package cli

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/policies"
)

const defaultPolicy = "ringfence.hcl"

// policyFlags adds the flags of every command that reads a policy.
func (a *app) policyFlags(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&a.policyPath, "policy", "p", "", "policy file, or folder of *.hcl files (default $RINGFENCE_POLICY, else "+defaultPolicy+")")
	cmd.Flags().StringArrayVar(&a.vars, "var", nil, "set a variable of the policy: name=value (better in the environment: RINGFENCE_VAR_name)")
	cmd.MarkFlagFilename("policy", "hcl")
}

// loadPolicy reads the policy that the flags name.
func (a *app) loadPolicy(allowUnset bool) (*policies.Policy, error) {
	path := a.policyPath
	if path == "" {
		path = os.Getenv("RINGFENCE_POLICY")
	}
	if path == "" {
		path = defaultPolicy
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return nil, usagef("there is no %s here: name a policy with --policy, or write one (the README explains it line by line)", defaultPolicy)
		}
	}
	vars := make(map[string]string)
	for _, v := range a.vars {
		name, value, ok := strings.Cut(v, "=")
		if !ok {
			return nil, usagef("--var %s: write name=value", v)
		}
		vars[name] = value
	}
	return policies.Load(path, policies.Options{Vars: vars, AllowUnset: allowUnset})
}

// openHost opens a host that reports to this command line.
func (a *app) openHost(policy *policies.Policy) (*host.Host, error) {
	return host.Open(policy, a.hostOptions())
}

func (a *app) hostOptions() host.Options {
	logger := hclog.NewNullLogger()
	if a.verbose {
		logger = hclog.New(&hclog.LoggerOptions{Name: "ringfence", Level: hclog.Debug, Output: a.err})
	}
	return host.Options{
		Logger:   logger,
		GuestLog: a.guestLog(),
		Progress: newMeter(a.err).Report,
	}
}

// guestLog shows what tools log, when asked to: a crashing Go program alone
// prints a page of stack traces.
func (a *app) guestLog() func(host.GuestRecord) {
	logger := hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: a.err, DisableTime: true})
	return func(r host.GuestRecord) {
		if a.verbose {
			logger.Named(r.Plugin+"."+r.Tool).Log(r.Level, r.Message)
		}
	}
}

// completeTool offers the plugins of the policy as the start of a tool's name.
func (a *app) completeTool(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveDefault // @file
	}
	policy, err := a.loadPolicy(true)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, p := range policy.Plugins() {
		names = append(names, p.Name()+".", p.Name()+"\t"+filepath.Base(p.Source()))
	}
	return names, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}
