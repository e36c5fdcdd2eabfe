package policies

import (
	"fmt"
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// shape lists what may stand in a block of the policy. Everything else is an
// error: a misspelt "pahts" that was ignored would grant every path.
type shape struct {
	name      string            // as messages call it: `a "plugin" block`
	arguments []string          // name = value
	blocks    map[string]int    // name → number of labels
	labels    map[string]string // block → how it is written
	notYet    map[string]string // part of the language, not enforced yet → what to do instead
}

var policyShape = shape{
	name:   "a policy file",
	blocks: map[string]int{"ringfence": 0, "variable": 1, "secret": 1, "plugin": 1},
	labels: map[string]string{"variable": `variable "token" { … }`, "secret": `secret "github" { … }`, "plugin": `plugin "github" { … }`},
	notYet: map[string]string{"guard_plugin": "Remove the block; custom guards do not run yet."},
}

var settingsShape = shape{
	name:      `the "ringfence" block`,
	arguments: []string{"max_sandboxes", "state_dir", "isolation"},
}

var variableShape = shape{
	name:      `a "variable" block`,
	arguments: []string{"default", "sensitive", "description"},
}

var secretShape = shape{
	name:      `a "secret" block`,
	arguments: []string{"value", "file"},
	notYet: map[string]string{
		"command": "Run the command yourself and hand its output over in an environment variable: value = var.NAME.",
		"age":     "Decrypt the file yourself and name the result: file = \"…\".",
		"keyring": "Read the keyring yourself and hand the secret over in an environment variable: value = var.NAME.",
		"vault":   "Read the vault yourself and hand the secret over in an environment variable: value = var.NAME.",
	},
}

var pluginShape = shape{
	name:      `a "plugin" block`,
	arguments: []string{"source", "sha256", "engine", "seccomp", "lifetime", "env"},
	blocks:    map[string]int{"limits": 0, "http": 0, "workspace": 1, "client": 0, "tool": 1, "state": 0, "invoke": 1},
	labels: map[string]string{
		"workspace": `workspace "notes" { … }`,
		"tool":      `tool "remove" { … }, with the name of a tool of this plugin`,
		"invoke":    `invoke "lookup" { tool = "geo.lookup" }`,
	},
	notYet: map[string]string{
		"guard":     "Remove the block; data that crosses the wall is not scanned yet.",
		"isolation": "Write it in the ringfence block: it counts for all plugins.",
	},
}

var workspaceShape = shape{
	name:      `a "workspace" block`,
	arguments: []string{"path", "access", "include", "max_file", "max_growth", "max_files"},
}

var stateShape = shape{
	name:      `a "state" block`,
	arguments: []string{"size", "name"},
}

var invokeShape = shape{
	name:      `an "invoke" block`,
	arguments: []string{"tool"},
}

var limitsShape = shape{
	name:      `a "limits" block`,
	arguments: []string{"memory", "cpu_time", "call_timeout", "message_timeout", "processes", "fuel", "ring", "ring_max", "ring_rate"},
}

var clientShape = shape{
	name:      `a "client" block`,
	arguments: []string{"elicitation", "sampling", "max_tokens", "rate", "timeout"},
}

var toolShape = shape{
	name:      `a "tool" block`,
	arguments: []string{"read_only", "destructive", "idempotent", "open_world"},
}

var httpShape = shape{
	name:      `an "http" block`,
	arguments: []string{"rate"},
	blocks:    map[string]int{"allow": 1},
	labels:    map[string]string{"allow": `allow "api.example.com" { … }`},
	notYet:    map[string]string{"deny": "Remove the block; what no allow block names is denied anyway."},
}

var allowShape = shape{
	name:      `an "allow" block`,
	arguments: []string{"methods", "paths"},
	blocks:    map[string]int{"credential": 1},
	labels:    map[string]string{"credential": `credential "github" { … }, with the name of a secret`},
}

var credentialShape = shape{
	name:      `a "credential" block`,
	arguments: []string{"bearer", "header", "prefix", "basic", "query"},
	notYet:    map[string]string{"path": "Use bearer, header, basic or query."},
}

func (s shape) known() []string {
	names := append([]string(nil), s.arguments...)
	for b := range s.blocks {
		names = append(names, b)
	}
	for n := range s.notYet {
		names = append(names, n)
	}
	return names
}

func (s shape) isArgument(name string) bool {
	for _, a := range s.arguments {
		if a == name {
			return true
		}
	}
	return false
}

// check reports everything in body that s does not list.
func (d *decoder) check(body *hclsyntax.Body, s shape) {
	for _, attr := range sortedAttributes(body) {
		d.checkAttribute(attr, s)
	}
	for _, b := range body.Blocks {
		d.checkBlock(b, s)
	}
}

func (d *decoder) checkAttribute(attr *hclsyntax.Attribute, s shape) {
	if s.isArgument(attr.Name) {
		return
	}
	if instead, ok := s.notYet[attr.Name]; ok {
		d.errorf(attr.NameRange, attr.Name+" is not supported yet", "%s", instead)
		return
	}
	if labels, ok := s.blocks[attr.Name]; ok {
		d.errorf(attr.NameRange, attr.Name+" is a block, not an argument", "Write it without the equals sign: %s%s { … }", attr.Name, strings.Repeat(` "…"`, labels))
		return
	}
	d.errorf(attr.NameRange, fmt.Sprintf("unknown argument %q", attr.Name), "There is no such argument in %s.%s", s.name, didYouMean(attr.Name, s.known()))
}

func (d *decoder) checkBlock(b *hclsyntax.Block, s shape) {
	want, ok := s.blocks[b.Type]
	if !ok {
		d.unknownBlock(b, s)
		return
	}
	switch {
	case len(b.Labels) < want:
		d.errorf(b.TypeRange, fmt.Sprintf("%s needs a label", b.Type), "Write %s.", s.labels[b.Type])
	case len(b.Labels) > want:
		d.errorf(b.LabelRanges[want], fmt.Sprintf("%s has too many labels", b.Type), "It has %d (allowed: %d).", len(b.Labels), want)
	}
}

func (d *decoder) unknownBlock(b *hclsyntax.Block, s shape) {
	if instead, ok := s.notYet[b.Type]; ok {
		d.errorf(b.TypeRange, b.Type+" is not supported yet", "%s", instead)
		return
	}
	if s.isArgument(b.Type) {
		d.errorf(b.TypeRange, b.Type+" is an argument, not a block", "Write it with an equals sign: %s = …", b.Type)
		return
	}
	d.errorf(b.TypeRange, fmt.Sprintf("unknown block %q", b.Type), "There is no such block in %s.%s", s.name, didYouMean(b.Type, s.known()))
}

// labelled reports whether b carries exactly the labels that s wants; if not,
// checkBlock has said so.
func (s shape) labelled(b *hclsyntax.Block) bool {
	want, ok := s.blocks[b.Type]
	return ok && len(b.Labels) == want
}

// sortedAttributes puts the attributes of a body in the order of the file, so
// that the same file always gives the same messages.
func sortedAttributes(body *hclsyntax.Body) []*hclsyntax.Attribute {
	attrs := make([]*hclsyntax.Attribute, 0, len(body.Attributes))
	for _, a := range body.Attributes {
		attrs = append(attrs, a)
	}
	sort.Slice(attrs, func(i, j int) bool { return attrs[i].NameRange.Start.Byte < attrs[j].NameRange.Start.Byte })
	return attrs
}

func (d *decoder) errorf(at hcl.Range, summary, detail string, args ...any) {
	d.report(hcl.DiagError, at, summary, fmt.Sprintf(detail, args...))
}

func (d *decoder) warnf(at hcl.Range, summary, detail string, args ...any) {
	d.report(hcl.DiagWarning, at, summary, fmt.Sprintf(detail, args...))
}

func (d *decoder) report(severity hcl.DiagnosticSeverity, at hcl.Range, summary, detail string) {
	d.diags = append(d.diags, &hcl.Diagnostic{Severity: severity, Summary: summary, Detail: detail, Subject: &at})
}
