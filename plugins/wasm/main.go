// The runtime must not look at its cgroup now and then, as it does by default:
// under the system-call filter that is a death, and GOMAXPROCS is the host's to
// choose.
//go:debug containermaxprocs=0
//go:debug updatemaxprocs=0

// Command ringfence-plugin-wasm is the sandbox process for WebAssembly plugins.
// The host starts it; it serves one plugin and ends with its host.
package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"

	"github.com/hashicorp/go-hclog"
	"github.com/ringfence/ringfence/pluginkit"
	"github.com/ringfence/ringfence/plugins/wasm/internal/engine"
	"github.com/ringfence/ringfence/plugins/wasm/internal/engine/wasmer"
	"github.com/ringfence/ringfence/plugins/wasm/internal/engine/wazero"
	_ "github.com/ringfence/ringfence/plugins/wasm/internal/fatal" // before the Go runtime
	"github.com/ringfence/ringfence/plugins/wasm/internal/serve"
	_ "github.com/ringfence/ringfence/plugins/wasm/internal/threads" // before any thread
)

// The main thread's stack is as large as the shell allows, so no guest may run
// on it. Locked here, it runs this goroutine only.
func init() { runtime.LockOSThread() }

func main() {
	if len(os.Args) == 2 && os.Args[1] == "-version" {
		fmt.Println("ringfence-plugin-wasm", build())
		return
	}
	if len(os.Args) == 4 && os.Args[1] == timeCalls {
		if err := printCallTimes(os.Args[2], os.Args[3]); err != nil {
			fmt.Fprintln(os.Stderr, "ringfence-plugin-wasm:", err)
			os.Exit(1)
		}
		return
	}
	serve.Serve(serve.New(taken(config())))
}

// config is what this process is made of.
func config() serve.Config {
	return serve.Config{
		Build: build(),
		Engines: map[string]func() engine.Engine{
			wasmer.Name: func() engine.Engine { return wasmer.New() },
			wazero.Name: func() engine.Engine { return wazero.New() },
		},
		Module:  func(size uint64) (*serve.Mapping, error) { return serve.MapSealed(pluginkit.ModuleFD, size) },
		Ring:    serve.RingFrom(pluginkit.ChannelFD),
		Limit:   serve.Lower,
		Confine: confine,
		Exit:    os.Exit,
		// os.Stderr is replaced later; this is the one that the host reads.
		Log: hclog.New(&hclog.LoggerOptions{Level: hclog.Info, Output: os.Stderr, JSONFormat: true}),
	}
}

// build names this build in at most 128 bytes.
func build() string {
	version := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		version = info.Main.Version
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				version += " " + s.Value[:min(12, len(s.Value))]
			}
		}
	}
	text := fmt.Sprintf("%s %s %s/%s wasmer 2.0.0", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return text[:min(128, len(text))]
}
