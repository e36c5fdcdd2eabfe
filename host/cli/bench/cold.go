package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/ringfence/ringfence/host"
)

const coldPolicy = `
ringfence {
  state_dir = %q
}

plugin "a" {
  source = "TOOLS/echo.wasm"
}

plugin "b" {
  source = "TOOLS/echo.wasm"
}
`

// measureCold measures first calls: of a host that has never seen the module, and so
// compiles it, and of one that finds it compiled. The second plugin's first call
// shows what a sandbox costs in a host that runs.
func (b *bench) measureCold(ctx context.Context) error {
	if b.cold == nil {
		b.cold = map[bool][]Cold{}
	}
	state := filepath.Join(b.dir, fmt.Sprintf("state-%d", len(b.cold[false])))
	for _, cached := range []bool{false, true, true, true} {
		one, err := b.firstCalls(ctx, state)
		if err != nil {
			return err
		}
		one.Cached = cached
		b.cold[cached] = append(b.cold[cached], one)
	}
	return nil
}

func (b *bench) firstCalls(ctx context.Context, state string) (c Cold, err error) {
	policy, err := b.policy("cold", fmt.Sprintf(coldPolicy, state))
	if err != nil {
		return c, err
	}
	info, err := os.Stat(filepath.Join(b.Tools, "echo.wasm"))
	if err != nil {
		return c, err
	}
	began := time.Now()
	h, err := host.Open(policy, b.Options)
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	if _, err = h.Call(ctx, "a.head", arguments(64)); err != nil {
		return c, err
	}
	c = Cold{ModuleBytes: info.Size(), Host: micro(time.Since(began))}
	r, err := h.Call(ctx, "b.head", arguments(64))
	c.Sandbox = micro(r.Ready)
	return c, err
}

func micro(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

func (b *bench) coldRows() (rows []Cold) {
	for _, cached := range []bool{false, true} {
		if all := b.cold[cached]; len(all) > 0 {
			rows = append(rows, Cold{
				ModuleBytes: all[0].ModuleBytes, Cached: cached, Runs: len(all),
				Host:    medianOf(all, func(c Cold) float64 { return c.Host }),
				Sandbox: medianOf(all, func(c Cold) float64 { return c.Sandbox }),
			})
		}
	}
	return rows
}
