package policies

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

const (
	minState     = 1 << 10
	maxState     = 64 << 20
	defaultState = 1 << 20
)

// StateGrant lets a plugin keep values between its calls.
type StateGrant struct {
	// Size is the most bytes that its keys and values may take together, with 64
	// for each: 1 KiB to 64 MiB.
	Size uint64

	at hcl.Range
}

// DeclRange is where the block stands, as "file:line", or "".
func (g *StateGrant) DeclRange() string {
	if g == nil {
		return ""
	}
	return place(g.at)
}

// State is what the plugin may keep, or nil when it keeps nothing.
func (p *Plugin) State() *StateGrant { return p.state }

// stateGrant decodes a state block.
func (d *decoder) stateGrant(b *hclsyntax.Block) *StateGrant {
	d.check(b.Body, stateShape)
	g := &StateGrant{Size: defaultState, at: b.DefRange()}
	if a := b.Body.Attributes["size"]; a != nil {
		if n, ok := d.size(a, minState, maxState); ok {
			g.Size = n
		}
	}
	return g
}
