package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/ringfence/ringfence/host/internal/audit"
	"github.com/ringfence/ringfence/host/internal/jail"
	"github.com/ringfence/ringfence/host/internal/module"
	"github.com/ringfence/ringfence/host/internal/native"
	"github.com/ringfence/ringfence/host/internal/sandbox"
	"github.com/ringfence/ringfence/host/internal/stage"
	"github.com/ringfence/ringfence/pluginkit"
	"github.com/ringfence/ringfence/policies"
)

// nativeProgram is the name of a native plugin in its root. Its author's own name
// could be that of a folder there.
const nativeProgram = "plugin"

// prepareNative stages the program with all that it loads, hashed while it is
// copied: what was pinned is what runs, whatever becomes of the file.
func (p *plugin) prepareNative() (*prepared, error) {
	began := time.Now()
	factory, digest, err := p.stageNative()
	entry := audit.Entry{Plugin: p.policy.Name(), Kind: "stage", Decision: audit.Allow, Reason: digest, Details: audit.Details{Duration: time.Since(began)}}
	if err != nil {
		entry.Decision, entry.Reason = audit.Failed, err.Error()
	}
	if err := errors.Join(err, p.host.record(p.policy.Name(), entry)); err != nil {
		return nil, err
	}
	return &prepared{native: factory}, nil
}

func (p *plugin) stageNative() (factory *sandbox.Factory, digest string, err error) {
	path, filter := p.policy.Source(), p.policy.Filter(policies.KindNative)
	program, err := native.Inspect(path)
	if err == nil {
		err = program.Check(path, filter)
	}
	if err != nil {
		return nil, "", p.unfit(err)
	}
	l := p.host.factory
	confinement, err := l.jail()
	if err != nil {
		return nil, "", err
	}
	if err := confinement.Found().RequireNative(l.level); err != nil {
		return nil, "", err
	}
	items := []stage.Item{{Path: path, As: nativeProgram, SHA256: p.policy.SHA256(), Exec: true, Max: native.MaxSize}}
	items = append(items, libraries(program.Needs)...)
	for _, w := range p.policy.Workspaces() {
		items = append(items, stage.Item{Folder: true, As: filepath.Join(jail.WorkspaceFolder, w.Name)})
	}
	copies, err := l.copies("native-"+p.policy.Name(), items...)
	if mismatch, ok := errors.AsType[*stage.MismatchError](err); ok {
		return nil, "", p.unfit(&module.PinError{Path: path, Want: mismatch.Want, Got: mismatch.Got})
	}
	if err != nil {
		return nil, "", p.unfit(err)
	}
	factory = l.made(confinement, copies[0].Path, program.Loader)
	factory.Seccomp = string(filter)
	return factory, "sha256:" + copies[0].SHA256, nil
}

// unfit says that a plugin's source cannot be used.
func (p *plugin) unfit(err error) error {
	return &CallError{Kind: ErrModule, Tool: p.policy.Name(), Detail: p.policy.DeclRange() + ": " + err.Error(), Err: err}
}

// nativePlan is what a process of a native plugin runs with.
func (p *plugin) nativePlan(plan sandbox.Plan) (sandbox.Plan, error) {
	plan.Engine = pluginkit.EngineNative
	for _, w := range p.policy.Workspaces() {
		path, err := p.openable(w)
		if err != nil {
			return plan, &CallError{Kind: ErrModule, Tool: p.policy.Name(), Detail: err.Error(), Err: err}
		}
		plan.Workspaces = append(plan.Workspaces, jail.Workspace{Name: w.Name, Path: path, Write: w.Write})
	}
	return plan, nil
}

// openable is where a workspace's path leads now, if that may be shown.
func (p *plugin) openable(w policies.Workspace) (string, error) {
	path, err := filepath.EvalSymlinks(w.Path)
	if err != nil {
		return "", fmt.Errorf("%s: workspace %q: %w", w.DeclRange(), w.Name, err)
	}
	info, err := os.Lstat(path)
	if err != nil {
		return "", fmt.Errorf("%s: workspace %q: %w", w.DeclRange(), w.Name, err)
	}
	if !info.IsDir() {
		return "", fmt.Errorf("%s: workspace %q: %s is not a folder", w.DeclRange(), w.Name, path)
	}
	return path, p.host.policy.CheckWorkspace(w, path)
}

// spent says that a process which has served a call serves no other: the policy
// wants nothing of one call to reach the next, and a native plugin has nothing
// smaller than a process to begin anew.
func (p *plugin) spent() bool {
	ready := p.ready()
	return ready != nil && ready.native != nil && p.policy.Lifetime() == policies.LifetimeCall
}

// startNative starts a process of a native plugin.
func (p *plugin) startNative(ctx context.Context, factory *sandbox.Factory, plan sandbox.Plan) (*sandbox.Sandbox, error) {
	plan, err := p.nativePlan(plan)
	if err != nil {
		return nil, err
	}
	return factory.Start(ctx, plan)
}
