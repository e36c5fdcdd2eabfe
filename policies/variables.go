package policies

import (
	"fmt"
	"regexp"
	"runtime"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// envPrefix plus a variable's name is the environment variable that sets it.
const envPrefix = "RINGFENCE_VAR_"

var variableName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,62}$`)

// variable is one variable block with its value of this run.
type variable struct {
	name      string
	declared  hcl.Range
	sensitive bool
	value     cty.Value // cty.NilVal when unset
	missing   []string  // environment variables that env() did not find
}

func (v *variable) set() bool { return v.value != cty.NilVal }

// remedy says how to give an unset variable a value.
func (v *variable) remedy() string {
	ways := []string{"set " + envPrefix + v.name, fmt.Sprintf("pass --var %s=…", v.name)}
	if len(v.missing) > 0 {
		ways = append([]string{"set the environment variable " + strings.Join(v.missing, " and ")}, ways...)
	}
	return strings.Join(ways[:len(ways)-1], ", ") + " or " + ways[len(ways)-1]
}

// variable decodes a variable block. Its value comes from Options.Vars, else
// from RINGFENCE_VAR_name, else from its default.
func (d *decoder) variable(b *hclsyntax.Block) {
	name := b.Labels[0]
	if !variableName.MatchString(name) {
		d.errorf(b.LabelRanges[0], fmt.Sprintf("%q is not a variable name", name), "A name is a letter and then up to 62 letters, digits and underscores.")
		return
	}
	if first, ok := d.variables[name]; ok {
		d.duplicate(b, "variable", name, first.declared)
		return
	}
	d.check(b.Body, variableShape)
	v := &variable{name: name, declared: b.DefRange(), value: cty.NilVal}
	d.variables[name] = v
	if a := b.Body.Attributes["sensitive"]; a != nil {
		sensitive, ok := d.boolean(a)
		v.sensitive = sensitive || !ok // until the policy is mended, assume the worse
	}
	if a := b.Body.Attributes["description"]; a != nil {
		d.text(a, anywhere)
	}
	fallback := d.defaultOf(b.Body.Attributes["default"], v)
	switch given, ok := d.given(name); {
	case ok:
		v.value = cty.StringVal(given)
	default:
		v.value = fallback
	}
}

func (d *decoder) given(name string) (string, bool) {
	if s, ok := d.opts.Vars[name]; ok {
		return s, true
	}
	return d.opts.lookupEnv(envPrefix + name)
}

// defaultOf evaluates a variable's default; cty.NilVal means unset.
func (d *decoder) defaultOf(attr *hclsyntax.Attribute, v *variable) cty.Value {
	if attr == nil {
		return cty.NilVal
	}
	if !d.admit(attr.Expr, defaultValue) {
		return cty.NilVal
	}
	d.missing = nil
	value, diags := attr.Expr.Value(d.scope(defaultValue))
	if v.missing = d.missing; len(v.missing) > 0 {
		return cty.NilVal // an unset environment variable spoils what is built with it
	}
	switch {
	case diags.HasErrors():
		d.errorf(attr.Expr.Range(), "cannot evaluate the default of variable "+v.name, "Write a string, a number, true, false or env(\"NAME\").")
		return cty.NilVal
	case value.IsNull(), !value.IsWhollyKnown():
		return cty.NilVal
	case !value.Type().IsPrimitiveType():
		d.wrongType(attr, "a string, a number, true or false", value)
		return cty.NilVal
	}
	return value
}

// scope is what expressions see. env() appears in defaults only; admit has
// already said so to everybody else.
func (d *decoder) scope(where use) *hcl.EvalContext {
	ctx := &hcl.EvalContext{Functions: map[string]function.Function{"cpus": cpusFunction}}
	if where == defaultValue {
		ctx.Functions["env"] = d.envFunction()
		return ctx
	}
	vars := map[string]cty.Value{}
	for name, v := range d.variables {
		if v.set() && (!v.sensitive || where == secretValue) {
			vars[name] = v.value
		}
	}
	ctx.Variables = map[string]cty.Value{"var": cty.ObjectVal(vars)}
	return ctx
}

var cpusFunction = function.New(&function.Spec{
	Description: "The number of CPUs this process may use.",
	Type:        function.StaticReturnType(cty.Number),
	Impl: func([]cty.Value, cty.Type) (cty.Value, error) {
		return cty.NumberIntVal(int64(runtime.NumCPU())), nil
	},
})

// envFunction reads the environment and notes what it did not find.
func (d *decoder) envFunction() function.Function {
	return function.New(&function.Spec{
		Description: "The value of an environment variable.",
		Params:      []function.Parameter{{Name: "name", Type: cty.String}},
		Type:        function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			name := args[0].AsString()
			if name == "" || strings.ContainsAny(name, "=\x00") {
				return cty.NilVal, fmt.Errorf("%q is not the name of an environment variable", name)
			}
			if value, ok := d.opts.lookupEnv(name); ok {
				return cty.StringVal(value), nil
			}
			d.missing = append(d.missing, name)
			return cty.NullVal(cty.String), nil
		},
	})
}

// admitReference judges one var.NAME.
func (d *decoder) admitReference(t hcl.Traversal, where use) bool {
	at := t.SourceRange()
	name, ok := variableOf(t)
	switch {
	case where == defaultValue:
		d.errorf(at, "a default cannot refer to anything", "Write a string in quotes, a number, true, false or env(\"NAME\").")
		return false
	case !ok && where == secretValue:
		// Not named: it may be the secret itself, without its quotes.
		d.errorf(at, "the value must be var.NAME", "Declare variable \"NAME\" { default = env(\"…\"), sensitive = true } and write value = var.NAME.")
		return false
	case !ok:
		d.errorf(at, "unknown name", "Only var.NAME can be referred to here. If it is meant as text, put it in quotes.")
		return false
	}
	v := d.variables[name]
	if v == nil {
		d.errorf(at, fmt.Sprintf("unknown variable %q", name), "No variable of this name is declared.%s", didYouMean(name, d.variableNames()))
		return false
	}
	return d.admitVariable(v, at, where)
}

func (d *decoder) admitVariable(v *variable, at hcl.Range, where use) bool {
	if v.sensitive && where != secretValue {
		d.errorf(at, fmt.Sprintf("variable %q is sensitive", v.name), "A sensitive variable may only be the value of a secret; here the guest or a log would see it.")
		return false
	}
	if !v.set() {
		d.unresolved(at, fmt.Sprintf("variable %q is not set", v.name), "It is declared at %s. To give it a value, %s.", place(v.declared), v.remedy())
		return false
	}
	if where == secretValue && !v.sensitive && !d.warnedPlain[v.name] {
		d.warnedPlain[v.name] = true
		d.warnf(v.declared, fmt.Sprintf("variable %q holds a secret but is not sensitive", v.name), "Add sensitive = true, so that it cannot be used where a guest or a log would see it.")
	}
	return true
}

// variableOf returns NAME of var.NAME or var["NAME"].
func variableOf(t hcl.Traversal) (string, bool) {
	if t.RootName() != "var" || len(t) < 2 {
		return "", false
	}
	switch step := t[1].(type) {
	case hcl.TraverseAttr:
		return step.Name, true
	case hcl.TraverseIndex:
		if step.Key.Type() == cty.String && step.Key.IsKnown() && !step.Key.IsNull() {
			return step.Key.AsString(), true
		}
	}
	return "", false
}

func (d *decoder) variableNames() []string {
	names := make([]string, 0, len(d.variables))
	for n := range d.variables {
		names = append(names, n)
	}
	return names
}
