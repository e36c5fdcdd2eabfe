package policies

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// maxInvokes bounds the invoke blocks of one plugin.
const maxInvokes = 64

// Invoke lets a plugin call a tool of another one, under the other's own policy.
type Invoke struct {
	// Alias is the label of the block, by which the plugin calls it.
	Alias string
	// Plugin is the name of the other plugin, which the policy has. Tool is the
	// tool's name, or "" for the only one; the plugin need not have it.
	Plugin, Tool string

	at hcl.Range
}

// Target is the tool as the policy names it: "geo.lookup", or "geo".
func (i Invoke) Target() string { return strings.TrimSuffix(i.Plugin+"."+i.Tool, ".") }

// DeclRange is where the block stands, as "file:line".
func (i Invoke) DeclRange() string { return place(i.at) }

// Invokes are the tools that the plugin may call, in the order of the file. Plugins
// never invoke each other in a circle.
func (p *Plugin) Invokes() []Invoke { return append([]Invoke(nil), p.invokes...) }

// invoke decodes an invoke block.
func (d *decoder) invoke(p *Plugin, b *hclsyntax.Block) {
	d.check(b.Body, invokeShape)
	i := Invoke{Alias: b.Labels[0], at: b.DefRange()}
	if !blockName.MatchString(i.Alias) {
		d.errorf(b.LabelRanges[0], fmt.Sprintf("%q is not an alias", i.Alias), "%s", blockNameRule)
		return
	}
	for _, other := range p.invokes {
		if other.Alias == i.Alias {
			d.duplicate(b, "invoke", i.Alias, other.at)
			return
		}
	}
	if len(p.invokes) == maxInvokes {
		d.errorf(b.DefRange(), "too many invoke blocks", "A plugin has at most %d.", maxInvokes)
		return
	}
	a := b.Body.Attributes["tool"]
	if a == nil {
		d.errorf(b.DefRange(), fmt.Sprintf("invoke %q has no tool", i.Alias), "Write tool = \"PLUGIN.TOOL\".")
		return
	}
	text, ok := d.text(a, anywhere)
	if !ok {
		return
	}
	plugin, tool, dotted := strings.Cut(text, ".")
	if !blockName.MatchString(plugin) || dotted && !blockName.MatchString(tool) {
		d.errorf(a.Expr.Range(), fmt.Sprintf("%q is not a tool", text), "Write the names of a plugin and of its tool: tool = \"geo.lookup\".")
		return
	}
	i.Plugin, i.Tool = plugin, tool
	p.invokes = append(p.invokes, i)
}

// invocations checks what the invoke blocks of all plugins come to.
//
// Attack: two plugins that wait for each other's sandboxes would stand still for
// ever, and so would one that waits for its own. Where no circle is written, there
// is none to wait in.
func (d *decoder) invocations(p *Policy) {
	var names []string
	for _, plugin := range p.plugins {
		names = append(names, plugin.name)
	}
	for _, plugin := range p.plugins {
		for _, i := range plugin.invokes {
			if _, ok := d.plugins[i.Plugin]; !ok {
				d.errorf(i.at, fmt.Sprintf("invoke %q names an unknown plugin", i.Alias), "There is no plugin %q in this policy.%s", i.Plugin, didYouMean(i.Plugin, names))
			}
		}
	}
	done := map[string]bool{}
	for _, plugin := range p.plugins {
		d.circle(plugin, nil, done)
	}
}

// circle reports a way from a plugin back to one that is on the way to it.
func (d *decoder) circle(p *Plugin, way []string, done map[string]bool) {
	if done[p.name] {
		return
	}
	defer func() { done[p.name] = true }()
	way = append(way, p.name)
	for _, i := range p.invokes {
		other, ok := d.plugins[i.Plugin]
		if !ok {
			continue
		}
		for at, name := range way {
			if name == other.name {
				d.errorf(i.at, "plugins invoke each other in a circle", "%s → %s. Remove one of the invoke blocks: each could wait for the other for ever.", strings.Join(way[at:], " → "), name)
				return
			}
		}
		d.circle(other, way, done)
	}
}
