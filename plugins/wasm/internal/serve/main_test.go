package serve

import (
	"os"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/ringfence/ringfence/pluginkit"
	"github.com/ringfence/ringfence/plugins/wasm/internal/engine"
	"github.com/ringfence/ringfence/plugins/wasm/internal/engine/wasmer"
	"go.uber.org/goleak"
)

// asProcess makes this binary a sandbox process.
const asProcess = "RINGFENCE_TEST_SANDBOX"

func TestMain(m *testing.M) {
	if os.Getenv(asProcess) != "" {
		Serve(New(Config{
			Engines: map[string]func() engine.Engine{"wasmer": func() engine.Engine { return wasmer.New() }},
			Module:  func(size uint64) (*Mapping, error) { return MapSealed(pluginkit.ModuleFD, size) },
			Limit:   Lower,
			Exit:    os.Exit,
			Log:     hclog.New(&hclog.LoggerOptions{Output: os.Stderr, JSONFormat: true}),
		}))
		return
	}
	goleak.VerifyTestMain(m)
}
