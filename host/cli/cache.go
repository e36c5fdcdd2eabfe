package cli

import (
	"cmp"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/ringfence/ringfence/host"
)

func (a *app) cacheCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cache",
		Short: "Compile modules ahead, list or drop compiled modules",
		Long: `A module is compiled when it is first called, which takes seconds, and kept
compiled after that. The cache lies in the policy's state_dir, is authenticated
with a key of its own, and bounded in size.`,
		Args: noSuchCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	warm := &cobra.Command{
		Use: "warm", Short: "Compile every plugin of the policy that is not compiled yet", Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.cacheWarm(cmd) },
	}
	list := &cobra.Command{
		Use: "list", Short: "List compiled modules, the most recently used first", Args: exactArgs(),
		Long: `List shows each compiled module with the plugin for which it was compiled. Other
policies and plugins with the same module use it, too.`,
		RunE: func(*cobra.Command, []string) error { return a.cacheList() },
	}
	clear := &cobra.Command{
		Use: "clear", Short: "Drop all compiled modules; they are compiled again when they are needed", Args: exactArgs(),
		RunE: func(*cobra.Command, []string) error { return a.cacheClear() },
	}
	for _, sub := range []*cobra.Command{warm, list, clear} {
		a.policyFlags(sub)
		cmd.AddCommand(sub)
	}
	return cmd
}

func (a *app) cacheWarm(cmd *cobra.Command) (err error) {
	policy, err := a.loadPolicy(true)
	if err != nil {
		return err
	}
	h, err := a.openHost(policy)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	var failed []error
	ready := []string{}
	for _, p := range policy.Plugins() {
		failed = append(failed, h.Prepare(cmd.Context(), p.Name()))
		ready = append(ready, p.Name())
	}
	if err := errors.Join(failed...); err != nil {
		return err
	}
	if a.json {
		return a.printJSON(warmed{true, ready})
	}
	_, err = fmt.Fprintf(a.out, "ready: %s\n", count(len(ready), "compiled plugin"))
	return err
}

// warmed is how --json prints the plugins of the policy, all of which are
// compiled now.
type warmed struct {
	OK      bool     `json:"ok"`
	Plugins []string `json:"plugins"`
}

func (a *app) openCache() (*host.Cache, error) {
	policy, err := a.loadPolicy(true)
	if err != nil {
		return nil, err
	}
	return host.OpenCache(policy.Settings())
}

func (a *app) cacheList() error {
	cache, err := a.openCache()
	if err != nil {
		return err
	}
	entries, err := cache.List()
	if err != nil {
		return err
	}
	if a.json {
		if entries == nil {
			entries = []host.CacheEntry{}
		}
		return a.printJSON(entries)
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	if len(entries) == 0 {
		fmt.Fprintln(w, "no module is compiled; `ringfence cache warm` compiles those of the policy")
	} else {
		fmt.Fprintln(w, "PLUGIN\tENGINE\tSIZE\tUSED\tKEY\tMODULE")
	}
	for _, e := range entries {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", cmp.Or(e.Plugin, "-"), cmp.Or(e.Engine, "-"), size(e.Size), e.Used.Format(time.DateTime), e.Name[:16], e.Source)
	}
	return w.Flush()
}

func (a *app) cacheClear() error {
	cache, err := a.openCache()
	if err != nil {
		return err
	}
	n, bytes, err := cache.Clear()
	if err != nil {
		return err
	}
	if a.json {
		return a.printJSON(map[string]int64{"removed": int64(n), "bytes": bytes})
	}
	fmt.Fprintf(a.out, "dropped %s (%s)\n", count(n, "compiled module"), size(bytes))
	return nil
}
