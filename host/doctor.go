package host

import (
	"context"
	"errors"
	"os"
	"slices"
	"time"

	"github.com/ringfence/ringfence/host/internal/jail"
	"github.com/ringfence/ringfence/host/internal/rundir"
	"github.com/ringfence/ringfence/host/internal/sandbox"
	"github.com/ringfence/ringfence/policies"
)

// Layer is one layer of the kernel jail on this machine.
type Layer = jail.Layer

// LevelError says which layers an isolation level lacks on this machine.
type LevelError = jail.LevelError

// Layers are those of the jail that this host's sandboxes are in, with those that
// the machine does not give. They are tried now, if no sandbox was started yet.
func (h *Host) Layers() ([]Layer, error) {
	if err := h.enter(); err != nil {
		return nil, err
	}
	defer h.active.Done()
	j, err := h.factory.jail()
	if err != nil {
		return nil, err
	}
	return slices.Clone(j.Found().Layers), nil
}

// Diagnosis is what this machine gives sandboxes.
type Diagnosis struct {
	// Layers were each tried in a child. The last three are no walls, and no level
	// demands them: "workspaces" is what native plugins with a workspace need,
	// "refused calls by name" and "ring" come from a sandbox that was started as a
	// host starts it.
	Layers []Layer
	// Sandbox says how long that sandbox took to start, and Broken why it did not.
	Sandbox time.Duration
	Broken  error
	// Levels says for each isolation level why it cannot be had, as a
	// *LevelError, or nil.
	Levels map[policies.Isolation]error
}

// Names of the layers that a whole sandbox shows.
const (
	layerNames = "refused calls by name"
	layerRing  = "ring"
)

// Doctor tries every layer of the jail, and then a whole sandbox. It needs
// neither a policy nor a state folder, and leaves nothing behind.
func Doctor(ctx context.Context, opts Options) (d Diagnosis, err error) {
	if opts, err = opts.withDefaults(); err != nil {
		return d, err
	}
	base, err := os.MkdirTemp("", "ringfence-doctor") // mode 0700
	if err != nil {
		return d, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(base)) }()
	dir, err := rundir.Open(base)
	if err != nil {
		return d, err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	l := &lazyFactory{opts: opts, dir: dir, level: unleveled}
	defer l.close()
	j, err := l.jail()
	if err != nil {
		return d, err
	}
	found := j.Found()
	d.Layers, d.Levels = append(found.Layers, j.Workspaces(dir.Path())), map[policies.Isolation]error{}
	for _, level := range []policies.Isolation{policies.IsolationStrict, policies.IsolationStandard, policies.IsolationBestEffort} {
		d.Levels[level] = found.Require(jail.Level(level))
	}
	d.try(ctx, l)
	return d, nil
}

// try starts a sandbox. One that does not start is a finding, not a failure of
// the doctor.
func (d *Diagnosis) try(ctx context.Context, l *lazyFactory) {
	f, _, err := l.get()
	var t sandbox.Trial
	if err == nil {
		t, err = f.Try(ctx)
	}
	if err != nil {
		d.Broken = err
		return
	}
	d.Sandbox = t.Took
	d.Layers = append(d.Layers,
		shown(layerNames, t.Unnamed, "by seccomp notification", "run as root or with user namespaces, on Linux 5.7 or newer"),
		shown(layerRing, t.NoRing, "calls go over shared memory", "Linux 5.1 or newer, with memfd_create"))
}

// shown is a layer that is there unless there is a reason why not.
func shown(name, why, note, fix string) Layer {
	if why == "" {
		return Layer{Name: name, On: true, Note: note}
	}
	return Layer{Name: name, Why: why, Fix: fix}
}
