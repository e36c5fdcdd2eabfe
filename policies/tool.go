package policies

import (
	"fmt"
	"sort"

	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Hints are what a policy says of a tool's effects, in the place of what its
// author says. nil leaves the author's word.
type Hints struct {
	// ReadOnly: the tool changes nothing.
	ReadOnly *bool
	// Destructive: what it changes may be lost.
	Destructive *bool
	// Idempotent: calling it twice has the effect of calling it once.
	Idempotent *bool
	// OpenWorld: it deals with things outside of the deployment.
	OpenWorld *bool
}

// ToolHints are the hints for one tool.
type ToolHints struct {
	// Tool is its name within the plugin.
	Tool string
	Hints
	declared string
}

// DeclRange is where the block stands, as "file:line".
func (t ToolHints) DeclRange() string { return t.declared }

const maxToolBlocks = 256 // as many as a plugin may have tools

// tools decodes the tool blocks of a plugin.
func (d *decoder) tools(b *hclsyntax.Block) []ToolHints {
	seen := map[string]*hclsyntax.Block{}
	var all []ToolHints
	for _, inner := range blocksOf(b, "tool") {
		if !pluginShape.labelled(inner) {
			continue
		}
		name := inner.Labels[0]
		switch first, twice := seen[name]; {
		case !blockName.MatchString(name):
			d.errorf(inner.LabelRanges[0], fmt.Sprintf("%q is not a tool name", name), "%s", blockNameRule)
			continue
		case twice:
			d.duplicate(inner, "tool", name, first.DefRange())
			continue
		case len(seen) == maxToolBlocks:
			d.errorf(inner.DefRange(), "too many tool blocks", "A plugin has at most %d tools.", maxToolBlocks)
			return nil
		}
		seen[name] = inner
		all = append(all, ToolHints{Tool: name, Hints: d.hints(inner), declared: place(inner.DefRange())})
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Tool < all[j].Tool })
	return all
}

func (d *decoder) hints(b *hclsyntax.Block) (h Hints) {
	d.check(b.Body, toolShape)
	for _, hint := range []struct {
		name string
		into **bool
	}{{"read_only", &h.ReadOnly}, {"destructive", &h.Destructive}, {"idempotent", &h.Idempotent}, {"open_world", &h.OpenWorld}} {
		if a := b.Body.Attributes[hint.name]; a != nil {
			if v, ok := d.boolean(a); ok {
				*hint.into = &v
			}
		}
	}
	if h == (Hints{}) && len(b.Body.Attributes)+len(b.Body.Blocks) == 0 {
		d.warnf(b.DefRange(), "this tool block says nothing", "Write read_only, destructive, idempotent or open_world, or remove the block.")
	}
	if h.ReadOnly != nil && *h.ReadOnly && h.Destructive != nil && *h.Destructive {
		d.errorf(b.DefRange(), "a tool that changes nothing cannot be destructive", "Remove read_only or destructive.")
	}
	return h
}
