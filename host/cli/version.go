package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// Version is set by the linker when a release is built.
var Version = "dev"

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version and what it was built with", Args: exactArgs(),
		RunE: func(*cobra.Command, []string) error {
			v := map[string]string{"version": Version, "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH}
			if info, ok := debug.ReadBuildInfo(); ok {
				for _, s := range info.Settings {
					if s.Key == "vcs.revision" {
						v["revision"] = s.Value
					}
				}
			}
			if a.json {
				return a.printJSON(v)
			}
			from := ""
			if revision := v["revision"]; revision != "" {
				from = ", from " + revision[:min(12, len(revision))]
			}
			_, err := fmt.Fprintf(a.out, "ringfence %s (%s, %s%s)\n", v["version"], v["go"], v["platform"], from)
			return err
		},
	}
}
