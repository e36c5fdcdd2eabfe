package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/host"
)

func (a *app) toolsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "tools [PLUGIN...]",
		Short: "List the tools of a policy's plugins",
		Long: `Tools starts each plugin (or those named) in its sandbox and lists what it
offers. Names, descriptions and schemas are the author's own words.

A plugin that does not start does not hide the others: they are listed, and the
exit code is that of the failure. With --json the list is then "tools" beside the
"error", and "failed" has one entry for each plugin that is missing.`,
		Example: `  ringfence tools
  ringfence tools jq --json`,
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			policy, err := a.loadPolicy(true)
			if err != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			var names []string
			for _, p := range policy.Plugins() {
				names = append(names, p.Name())
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error { return a.tools(cmd, args) },
	}
	a.policyFlags(cmd)
	return cmd
}

func (a *app) tools(cmd *cobra.Command, plugins []string) (err error) {
	policy, err := a.loadPolicy(false)
	if err != nil {
		return err
	}
	if len(plugins) == 0 {
		for _, p := range policy.Plugins() {
			plugins = append(plugins, p.Name())
		}
	}
	h, err := a.openHost(policy)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	all := []host.Tool{}
	var failed []pluginError
	for _, name := range plugins {
		tools, err := h.Tools(cmd.Context(), name)
		if err != nil {
			failed = append(failed, pluginError{name, err}) // one bad plugin does not hide the others
			continue
		}
		all = append(all, tools...)
	}
	if a.json && len(failed) == 0 {
		return a.printJSON(all)
	}
	if a.json {
		return &someToolsError{all, failed}
	}
	for _, t := range all {
		summary, _, _ := strings.Cut(t.Description, "\n")
		fmt.Fprintf(a.out, "%-28s %s\n", t.Name, summary)
	}
	if len(failed) > 0 {
		return &someToolsError{all, failed}
	}
	return nil
}

// someToolsError says which plugins cannot be listed, beside the tools of those that
// can.
type someToolsError struct {
	tools  []host.Tool
	failed []pluginError
}

type pluginError struct {
	plugin string
	err    error
}

func (e *someToolsError) Error() string { return errors.Join(e.Unwrap()...).Error() }

func (e *someToolsError) Unwrap() (all []error) {
	for _, f := range e.failed {
		all = append(all, f.err)
	}
	return all
}
