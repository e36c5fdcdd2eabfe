package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/ringfence/ringfence/internal/pingpong"
)

// engines are those that a policy can name.
var engines = []string{"wasmer", "wazero"}

// measureEngines measures what calling a function of a module costs in each engine, in
// a process of its own: the sandbox program, which has them, and no sandbox.
func (b *bench) measureEngines(ctx context.Context) error {
	program := b.Options.Sandbox
	if program == "" {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		program = filepath.Join(filepath.Dir(self), "ringfence-plugin-wasm")
	}
	for _, engine := range engines {
		out, err := output(ctx, program, "-time-calls", engine, (b.slice / 3).String())
		if err != nil {
			return fmt.Errorf("measure the engine %s: %s: %w", engine, program, err)
		}
		var took struct {
			P50 float64 `json:"p50_us"`
			P99 float64 `json:"p99_us"`
		}
		if err := json.Unmarshal(out, &took); err != nil {
			return fmt.Errorf("what %s printed: %w", program, err)
		}
		b.floor(Floor{What: "engine_" + engine}, pingpong.Result{P50: 1000 * took.P50, P99: 1000 * took.P99})
	}
	return nil
}

// output runs a program that measures, and gives what it prints. The context's end is
// the program's, and the error is then the context's.
func output(ctx context.Context, program string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stderr = os.Stderr
	pingpong.OwnGroup(cmd)
	out, err := cmd.Output()
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return out, err
}
