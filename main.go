// Command ringfence runs tools that nobody has reason to trust in sandbox
// processes that can do only what an HCL policy allows.
package main

import (
	"os"

	"github.com/ringfence/ringfence/host/cli"
)

func main() { os.Exit(cli.Main()) }
