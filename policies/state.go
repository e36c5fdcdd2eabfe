package policies

import (
	"fmt"
	"path/filepath"

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
	// Name says whose the state is, in all policies that use it. "": this plugin's
	// in this policy file.
	Name string

	policy string
	at     hcl.Range
}

// Policy is the absolute path of the file that the block stands in, as the policy was
// loaded. The file need not exist.
func (g *StateGrant) Policy() string { return g.policy }

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
	file := b.DefRange().Filename
	g := &StateGrant{Size: defaultState, policy: filepath.Join(d.dirs[file], filepath.Base(file)), at: b.DefRange()}
	if a := b.Body.Attributes["size"]; a != nil {
		if n, ok := d.size(a, minState, maxState); ok {
			g.Size = n
		}
	}
	if a := b.Body.Attributes["name"]; a != nil {
		text, ok := d.text(a, anywhere)
		switch first, taken := d.states[text]; {
		case !ok:
		case !blockName.MatchString(text):
			d.errorf(a.Expr.Range(), fmt.Sprintf("%q is not the name of a state", text), "%s", blockNameRule)
		case taken:
			d.errorf(a.Expr.Range(), fmt.Sprintf("two plugins keep their state as %q", text), "The first is at %s. A state is of one plugin; choose another name.", place(first))
		default:
			d.states[text], g.Name = a.Expr.Range(), text
		}
	}
	return g
}
