package policies

import (
	"fmt"
	"io"
	"regexp"
	"sort"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/ringfence/ringfence/internal/hclscreen"
)

// blockName is what plugins and secrets may be called. Tools are addressed as
// "plugin.tool" and names become file names, so neither dots nor slashes.
var blockName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)

const blockNameRule = "A name is a lower-case letter and then up to 62 lower-case letters, digits, underscores and dashes."

// Policy is a loaded policy. It does not change and may be used by many
// goroutines at once.
type Policy struct {
	settings Settings
	plugins  []*Plugin // by name
	warnings hcl.Diagnostics
	shown    map[string]*hcl.File // for snippets
	files    []string
	digest   string
	guarded  []guarded // what no workspace may reach
}

// Settings returns the host's settings.
func (p *Policy) Settings() Settings { return p.settings }

// Plugins returns all plugins, sorted by name.
func (p *Policy) Plugins() []*Plugin { return append([]*Plugin(nil), p.plugins...) }

// Plugin returns the plugin of that name.
func (p *Policy) Plugin(name string) (*Plugin, bool) {
	i := sort.Search(len(p.plugins), func(i int) bool { return p.plugins[i].name >= name })
	if i < len(p.plugins) && p.plugins[i].name == name {
		return p.plugins[i], true
	}
	return nil, false
}

// Warnings lists what is allowed but probably not meant.
func (p *Policy) Warnings() []Problem { return problems(p.warnings) }

// RenderWarnings writes the warnings as DiagnosticsError.Render writes errors.
func (p *Policy) RenderWarnings(w io.Writer, width uint, color bool) error {
	return render(w, p.shown, p.warnings, width, color)
}

// Files lists the files the policy was read from, as they were named.
func (p *Policy) Files() []string { return append([]string(nil), p.files...) }

// Digest is the SHA-256 of the names and contents of the files, in hex. It
// does not depend on the folder they lie in.
func (p *Policy) Digest() string { return p.digest }

// decoder turns blocks into a policy and gathers everything that is wrong with
// them, so that one run shows all faults.
type decoder struct {
	opts        Options
	dirs        map[string]string // file → folder that its relative paths start at
	diags       hcl.Diagnostics
	variables   map[string]*variable
	secrets     map[string]*declaredSecret
	plugins     map[string]*Plugin
	states      map[string]hcl.Range // names of states → where they are given
	warnedPlain map[string]bool      // variables that feed a secret and are not sensitive
	missing     []string             // what env() did not find during one evaluation
	unset       int                  // how often unresolved was called
}

// build parses all files, then decodes them as if they were one.
func build(sources []sourceFile, opts Options) (*Policy, error) {
	shown, blocks, dirs, diags := parse(sources)
	if diags.HasErrors() {
		// Decoding what is left would blame the wrong lines.
		return nil, &DiagnosticsError{diags: withoutValues(diags), files: shown}
	}
	d := &decoder{
		opts:        opts,
		dirs:        dirs,
		variables:   map[string]*variable{},
		secrets:     map[string]*declaredSecret{},
		plugins:     map[string]*Plugin{},
		states:      map[string]hcl.Range{},
		warnedPlain: map[string]bool{},
	}
	p := &Policy{shown: shown, digest: digest(sources)}
	for _, s := range sources {
		p.files = append(p.files, s.name)
	}
	d.decode(p, blocks)
	if d.diags.HasErrors() {
		return nil, &DiagnosticsError{diags: errorFirst(d.diags), files: shown}
	}
	p.warnings = d.diags
	return p, nil
}

// parse gives the bodies of all files in order. The first result is what
// snippets may be cut from.
func parse(sources []sourceFile) (map[string]*hcl.File, []*hclsyntax.Body, map[string]string, hcl.Diagnostics) {
	parser := hclparse.NewParser()
	shown := map[string]*hcl.File{}
	dirs := map[string]string{}
	var bodies []*hclsyntax.Body
	var diags hcl.Diagnostics
	for _, s := range sources {
		dirs[s.name] = s.dir
		tokens, more := hclscreen.Text(s.text, s.name, "policy")
		shown[s.name] = &hcl.File{Bytes: printable(s, tokens)}
		if diags = append(diags, more...); more.HasErrors() {
			continue
		}
		file, more := parser.ParseHCL(s.text, s.name)
		diags = append(diags, distinct(more)...)
		if file == nil {
			continue
		}
		shown[s.name].Nav = file.Nav
		if body, ok := file.Body.(*hclsyntax.Body); ok {
			bodies = append(bodies, body)
		}
	}
	return shown, bodies, dirs, diags
}

// decode goes by what depends on what: variables, then secrets and settings,
// then plugins.
func (d *decoder) decode(p *Policy, bodies []*hclsyntax.Body) {
	byType := map[string][]*hclsyntax.Block{}
	for _, body := range bodies {
		d.check(body, policyShape)
		for _, b := range body.Blocks {
			if policyShape.labelled(b) {
				byType[b.Type] = append(byType[b.Type], b)
			}
		}
	}
	for _, b := range byType["variable"] {
		d.variable(b)
	}
	d.unknownVars()
	for _, b := range byType["secret"] {
		d.secret(b)
	}
	p.settings = d.settings(d.only(byType["ringfence"]))
	for _, b := range byType["plugin"] {
		d.plugin(b, p.settings)
	}
	for _, plugin := range d.plugins {
		p.plugins = append(p.plugins, plugin)
	}
	sort.Slice(p.plugins, func(i, j int) bool { return p.plugins[i].name < p.plugins[j].name })
	d.guard(p)
	d.invocations(p)
	if d.diags.HasErrors() {
		return // a secret may be unused only because its plugin is at fault
	}
	for _, b := range byType["secret"] {
		if s := d.secrets[b.Labels[0]]; s != nil && !s.used && s.declared == b.DefRange() {
			d.warnf(s.declared, fmt.Sprintf("secret %q is never used", s.secret.name), "No credential block names it.")
		}
	}
}

// only returns the first block and reports all others.
func (d *decoder) only(blocks []*hclsyntax.Block) *hclsyntax.Block {
	if len(blocks) == 0 {
		return nil
	}
	for _, b := range blocks[1:] {
		d.errorf(b.DefRange(), fmt.Sprintf("more than one %s block", b.Type), "The first is at %s. Put everything into one.", place(blocks[0].DefRange()))
	}
	return blocks[0]
}

func (d *decoder) duplicate(b *hclsyntax.Block, what, name string, first hcl.Range) {
	d.errorf(b.DefRange(), fmt.Sprintf("%s %q is declared twice", what, name), "The first declaration is at %s, the second at %s. Rename or remove one.", place(first), place(b.DefRange()))
}

// unresolved reports what only this machine lacks: an error, or a warning when
// the caller validates without the secrets.
func (d *decoder) unresolved(at hcl.Range, summary, detail string, args ...any) {
	d.unset++
	severity := hcl.DiagError
	if d.opts.AllowUnset {
		severity = hcl.DiagWarning
	}
	d.report(severity, at, summary, fmt.Sprintf(detail, args...))
}

// unknownVars reports --var flags that no variable block declares: a misspelt
// one would leave the default in force.
func (d *decoder) unknownVars() {
	names := make([]string, 0, len(d.opts.Vars))
	for n := range d.opts.Vars {
		if d.variables[n] == nil {
			names = append(names, n)
		}
	}
	sort.Strings(names)
	for _, n := range names {
		d.diags = append(d.diags, &hcl.Diagnostic{
			Severity: hcl.DiagError,
			Summary:  fmt.Sprintf("unknown variable %q was given a value", n),
			Detail:   "The policy declares no variable of this name." + didYouMean(n, d.variableNames()),
		})
	}
}
