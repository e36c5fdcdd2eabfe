package host

import (
	"path/filepath"

	"github.com/ringfence/ringfence/host/internal/broker"
	"github.com/ringfence/ringfence/host/internal/state"
	"github.com/ringfence/ringfence/host/internal/workspace"
)

// newBroker makes what a plugin's guests may ask the host for.
func newBroker(p *plugin) *broker.Broker {
	h := p.host
	return broker.New(broker.Config{
		Plugin:    p.policy.Name(),
		HTTP:      p.policy.HTTP(),
		Secrets:   p.policy.Secrets(),
		Client:    p.policy.Client(),
		Folders:   p.folders(),
		Kept:      p.kept(),
		Invokes:   p.policy.Invokes(),
		Audit:     h.recorder,
		RunDir:    h.dir.Path(),
		RootCAs:   h.opts.RootCAs,
		Transport: h.opts.Transport,
	})
}

// folders are the plugin's workspaces, as the broker serves them.
func (p *plugin) folders() (folders []broker.Folder) {
	for _, w := range p.policy.Workspaces() {
		folders = append(folders, broker.Folder{Name: w.Name, Rule: w.DeclRange(), Open: func() (*workspace.Workspace, error) {
			path, err := p.openable(w)
			if err != nil {
				return nil, err
			}
			return workspace.Open(workspace.Config{Path: path, Write: w.Write, Include: w.Include,
				Limits: workspace.Limits{File: int64(w.MaxFile), Growth: int64(w.MaxGrowth), Files: w.MaxFiles}})
		}})
	}
	return folders
}

// kept is what the plugin may keep, in a folder of the host's own.
func (p *plugin) kept() broker.Kept {
	grant := p.policy.State()
	if grant == nil {
		return broker.Kept{}
	}
	dir := p.host.opts.State
	if dir == "" {
		dir = filepath.Join(p.host.policy.Settings().StateDir, "state")
	}
	kept := broker.Kept{Grant: grant, Config: state.Config{Dir: dir, Size: int64(grant.Size),
		Owner: state.Owner{Plugin: p.policy.Name(), Policy: grant.Policy(), Name: grant.Name}}}
	p.orphaned(state.New(kept.Config))
	return kept
}

// orphaned tells the operator of a policy that was moved where what its plugins kept
// is: they would begin with nothing, and nobody would know why.
func (p *plugin) orphaned(s *state.State) {
	var ours []string
	for _, name := range p.host.policy.Files() {
		if abs, err := filepath.Abs(name); err == nil {
			ours = append(ours, abs)
		}
	}
	orphans, err := s.Orphans(ours)
	if err != nil {
		p.host.log.Warn("what plugins keep cannot be looked at", "plugin", p.policy.Name(), "error", err)
	}
	for _, o := range orphans {
		p.host.log.Warn("this plugin begins with an empty state, and there is one that could be its own, of a policy file that was moved, or from before it had a name:"+
			" to go on with that, rename the file while no host uses it", "plugin", p.policy.Name(), "was", o.Policy, "file", o.File, "rename_to", s.Path())
	}
}
