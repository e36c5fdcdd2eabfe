package host

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/ringfence/ringfence/host/internal/jail"
	"github.com/ringfence/ringfence/host/internal/stage"
	"github.com/ringfence/ringfence/internal/orders"
	"github.com/ringfence/ringfence/policies"
)

// Layer is one layer of the kernel jail on this machine.
type Layer = jail.Layer

// LevelError says which layers an isolation level lacks on this machine.
type LevelError = jail.LevelError

// Diagnosis is what this machine gives sandboxes.
type Diagnosis struct {
	// Layers were each tried in a child. The last one, "workspaces", is no wall
	// but what native plugins with a workspace need, and no level demands it.
	Layers []Layer
	// Levels says for each isolation level why it cannot be had, as a
	// *LevelError, or nil.
	Levels map[policies.Isolation]error
}

// Doctor tries every layer of the jail. It needs neither a policy nor a state
// folder, and leaves nothing behind.
func Doctor(ctx context.Context, opts Options) (d Diagnosis, err error) {
	if opts, err = opts.withDefaults(); err != nil {
		return d, err
	}
	dir, err := os.MkdirTemp("", "ringfence-doctor") // mode 0700
	if err != nil {
		return d, err
	}
	defer func() {
		_ = os.Chmod(dir, 0o700) // staging makes it read-only
		err = errors.Join(err, os.RemoveAll(dir))
	}()
	copies, err := stage.Stage(dir,
		stage.Item{Path: filepath.Join(filepath.Dir(opts.Sandbox), orders.Trampoline), As: orders.Trampoline, Exec: true},
		stage.Item{Folder: true, As: jail.SocketFolder})
	if err != nil {
		return d, err
	}
	ctx, cancel := context.WithTimeout(ctx, opts.StartTimeout)
	defer cancel()
	j, err := jail.Open(ctx, copies[0].Path)
	if err != nil {
		return d, err
	}
	defer j.Close()
	found := j.Found()
	d.Layers, d.Levels = append(found.Layers, j.Workspaces(dir)), map[policies.Isolation]error{}
	for _, level := range []policies.Isolation{policies.IsolationStrict, policies.IsolationStandard, policies.IsolationBestEffort} {
		d.Levels[level] = found.Require(jail.Level(level))
	}
	return d, nil
}
