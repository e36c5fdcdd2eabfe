package policies

import (
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// Lifetime says how long an instance of a plugin lives.
type Lifetime int

const (
	// LifetimeCall is a fresh instance for each call: nothing of one call
	// reaches another.
	LifetimeCall Lifetime = iota
	// LifetimeSession is one instance until it traps, idles too long or grows.
	LifetimeSession
)

// String is the word of the policy language: "call" or "session".
func (l Lifetime) String() string {
	if l == LifetimeSession {
		return "session"
	}
	return "call"
}

// EnvVar is one variable of the guest's environment.
type EnvVar struct{ Name, Value string }

// Plugin is one plugin block. It does not change.
type Plugin struct {
	name     string
	source   string
	sha256   string
	engine   string
	lifetime Lifetime
	limits   Limits
	env      []EnvVar // by name
	http     *HTTPGrant
	secrets  []Secret // by name
	client   *ClientGrant
	tools    []ToolHints // by name
	declared hcl.Range

	workspaces []Workspace
	state      *StateGrant
	invokes    []Invoke
	filter     Filter // "" when the kind of the source decides
	filterAt   hcl.Range
	envAt      hcl.Range
	engineAt   *hcl.Range // nil when the block names none
	isModule   bool       // the source is called so
}

// Name is the label of the block: [a-z][a-z0-9_-]{0,62}.
func (p *Plugin) Name() string { return p.name }

// Source is the absolute path of the module or the program. The file need not
// exist.
func (p *Plugin) Source() string { return p.source }

// SHA256 is the digest the source must have, 64 lower-case hex digits, or ""
// when the policy does not pin it.
func (p *Plugin) SHA256() string { return p.sha256 }

// Engine is the WASM engine, "wasmer" or "wazero". It means nothing to a native
// plugin.
func (p *Plugin) Engine() string { return p.engine }

// Lifetime says how long an instance lives; of a native plugin, how long a
// process.
func (p *Plugin) Lifetime() Lifetime { return p.lifetime }

// Limits returns what bounds the plugin.
func (p *Plugin) Limits() Limits { return p.limits }

// Env is the guest's whole environment, sorted by name.
func (p *Plugin) Env() []EnvVar { return append([]EnvVar(nil), p.env...) }

// HTTP is what the plugin may request, or nil when it may request nothing.
func (p *Plugin) HTTP() *HTTPGrant { return p.http }

// Secrets are those that the plugin's credentials name, sorted by name.
func (p *Plugin) Secrets() []Secret { return append([]Secret(nil), p.secrets...) }

// Client is what the plugin's tools may ask of whoever calls them, or nil when
// they may ask nothing.
func (p *Plugin) Client() *ClientGrant { return p.client }

// Tools are the policy's own words about single tools, sorted by name. The
// plugin need not have a tool of that name.
func (p *Plugin) Tools() []ToolHints { return append([]ToolHints(nil), p.tools...) }

// DeclRange is where the block stands, as "file:line".
func (p *Plugin) DeclRange() string { return place(p.declared) }

// plugin decodes a plugin block.
func (d *decoder) plugin(b *hclsyntax.Block, settings Settings) {
	name := b.Labels[0]
	if !blockName.MatchString(name) {
		d.errorf(b.LabelRanges[0], fmt.Sprintf("%q is not a plugin name", name), "%s", blockNameRule)
		return
	}
	if first, ok := d.plugins[name]; ok {
		d.duplicate(b, "plugin", name, first.declared)
		return
	}
	d.check(b.Body, pluginShape)
	p := &Plugin{name: name, engine: engines[0], limits: defaultLimits(), declared: b.DefRange()}
	d.plugins[name] = p
	d.pluginArguments(p, b)
	limits := d.only(blocksOf(b, "limits"))
	if l := limits; l != nil {
		p.limits = d.limits(l, settings)
	}
	if h := d.only(blocksOf(b, "http")); h != nil {
		p.http = d.httpGrant(h)
		p.secrets = p.http.secrets()
	}
	for _, w := range blocksOf(b, "workspace") {
		if pluginShape.labelled(w) {
			d.workspace(p, w)
		}
	}
	for _, i := range blocksOf(b, "invoke") {
		if pluginShape.labelled(i) {
			d.invoke(p, i)
		}
	}
	if g := d.only(blocksOf(b, "state")); g != nil {
		p.state = d.stateGrant(g)
	}
	if c := d.only(blocksOf(b, "client")); c != nil {
		p.client = d.clientGrant(c)
		d.patience(p, c, limits)
	}
	p.tools = d.tools(b)
	d.fits(p)
}

func blocksOf(b *hclsyntax.Block, blockType string) []*hclsyntax.Block {
	var out []*hclsyntax.Block
	for _, inner := range b.Body.Blocks {
		if inner.Type == blockType {
			out = append(out, inner)
		}
	}
	return out
}

func (d *decoder) pluginArguments(p *Plugin, b *hclsyntax.Block) {
	attrs := b.Body.Attributes
	if a := attrs["source"]; a == nil {
		d.errorf(b.DefRange(), fmt.Sprintf("plugin %q has no source", p.name), "Write source = \"./%s.wasm\".", p.name)
	} else if text, ok := d.text(a, anywhere); ok {
		p.source, _ = d.path(a, text)
		p.isModule = strings.HasSuffix(text, ".wasm")
	}
	if a := attrs["sha256"]; a != nil {
		p.sha256 = d.sha256(a)
	}
	if a := attrs["engine"]; a != nil {
		p.engine = d.engine(a)
		at := a.Expr.Range()
		p.engineAt = &at
	}
	if a := attrs["seccomp"]; a != nil {
		d.seccomp(p, a)
	}
	if a := attrs["lifetime"]; a != nil {
		p.lifetime = d.lifetime(a)
	}
	if a := attrs["env"]; a != nil {
		p.env, p.envAt = d.environment(a), a.Expr.Range()
	}
}

func (d *decoder) sha256(a *hclsyntax.Attribute) string {
	text, ok := d.text(a, anywhere)
	if !ok {
		return ""
	}
	sum := strings.ToLower(text)
	if raw, err := hex.DecodeString(sum); err != nil || len(raw) != 32 {
		hint := "Run: sha256sum FILE"
		if strings.HasPrefix(sum, "sha256:") {
			hint = "Leave out the \"sha256:\" in front"
		}
		d.errorf(a.Expr.Range(), "sha256 is not a SHA-256 digest", "It has %d characters (allowed: 64 hex digits). %s.", len(text), hint)
		return ""
	}
	return sum
}

// engines are what a policy can name, the default first.
var engines = []string{"wasmer", "wazero"}

func (d *decoder) engine(a *hclsyntax.Attribute) string {
	text, ok := d.text(a, anywhere)
	if ok && slices.Contains(engines, text) {
		return text
	}
	if ok {
		d.errorf(a.Expr.Range(), fmt.Sprintf("unknown engine %q", text), "The engine is \"wasmer\" or \"wazero\".%s", didYouMean(text, engines))
	}
	return engines[0]
}

func (d *decoder) lifetime(a *hclsyntax.Attribute) Lifetime {
	text, ok := d.text(a, anywhere)
	switch {
	case !ok || text == "call":
	case text == "session":
		return LifetimeSession
	default:
		d.errorf(a.Expr.Range(), fmt.Sprintf("unknown lifetime %q", text), "It is \"call\" (a fresh instance for each call) or \"session\".%s", didYouMean(text, []string{"call", "session"}))
	}
	return LifetimeCall
}

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)

const (
	maxEnvVars  = 256
	maxEnvValue = 32 << 10
)

// environment decodes env = { NAME = "value" }.
func (d *decoder) environment(a *hclsyntax.Attribute) []EnvVar {
	v, ok := d.value(a, anywhere)
	if !ok {
		return nil
	}
	at := a.Expr.Range()
	if !v.Type().IsObjectType() && !v.Type().IsMapType() {
		d.wrongType(a, `an object such as { LANG = "C" }`, v)
		return nil
	}
	if n := v.LengthInt(); n > maxEnvVars {
		d.errorf(at, "env is too large", "It has %d variables (maximum %d).", n, maxEnvVars)
		return nil
	}
	keys := keyRanges(a.Expr)
	var env []EnvVar
	for it := v.ElementIterator(); it.Next(); {
		key, value := it.Element()
		name := key.AsString()
		at := at
		if r, ok := keys[name]; ok {
			at = r
		}
		text, err := convert.Convert(value, cty.String)
		switch {
		case !envName.MatchString(name):
			d.errorf(at, fmt.Sprintf("%q cannot be the name of an environment variable", name), "A name has letters, digits and underscores and does not start with a digit.")
		case err != nil || text.IsNull():
			d.errorf(at, fmt.Sprintf("env %s has the wrong type", name), "It is %s, but must be a string.", kind(value))
		case strings.ContainsRune(text.AsString(), 0) || len(text.AsString()) > maxEnvValue:
			d.errorf(at, fmt.Sprintf("env %s has a value that cannot be passed on", name), "A value has no NUL character and at most %d bytes.", maxEnvValue)
		default:
			env = append(env, EnvVar{Name: name, Value: text.AsString()})
		}
	}
	sort.Slice(env, func(i, j int) bool { return env[i].Name < env[j].Name })
	return env
}

// keyRanges gives the place of each key of an object that is written out.
func keyRanges(expr hclsyntax.Expression) map[string]hcl.Range {
	pairs, _ := hcl.ExprMap(expr)
	out := map[string]hcl.Range{}
	for _, p := range pairs {
		if key, diags := p.Key.Value(nil); !diags.HasErrors() && key.Type() == cty.String && key.IsKnown() && !key.IsNull() {
			out[key.AsString()] = p.Key.Range()
		}
	}
	return out
}
