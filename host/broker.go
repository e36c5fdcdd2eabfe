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
	return broker.Kept{Grant: grant, State: state.New(state.Config{
		Dir: dir, Plugin: p.policy.Name(), Size: int64(grant.Size)})}
}
