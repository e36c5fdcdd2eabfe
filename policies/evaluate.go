package policies

import (
	"fmt"
	"math/big"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// use says where an expression stands, and so what it may refer to.
type use int

const (
	anywhere     use = iota // variables that are not sensitive
	secretValue             // every variable
	defaultValue            // env(), no variables
)

// value evaluates an argument. It reports false after a diagnostic, or when
// the argument refers to an unset variable that AllowUnset lets pass.
func (d *decoder) value(attr *hclsyntax.Attribute, where use) (cty.Value, bool) {
	if !d.admit(attr.Expr, where) {
		return cty.NilVal, false
	}
	v, diags := attr.Expr.Value(d.scope(where))
	if diags.HasErrors() {
		if where == secretValue {
			// What HCL has to say may quote the value.
			d.errorf(attr.Expr.Range(), "cannot evaluate the value", "The reason is withheld because it could show the secret. Write value = var.NAME.")
			return cty.NilVal, false
		}
		d.diags = append(d.diags, withoutValues(diags)...)
		return cty.NilVal, false
	}
	if !v.IsWhollyKnown() || v.IsMarked() {
		d.errorf(attr.Expr.Range(), attr.Name+" has no value", "Write the value itself, or var.NAME.")
		return cty.NilVal, false
	}
	if v.IsNull() {
		d.errorf(attr.Expr.Range(), attr.Name+" is null", "Leave the line out to get the default.")
		return cty.NilVal, false
	}
	return v, true
}

// admit looks at an expression before it is evaluated. References are judged
// here, not by the evaluator: a sensitive variable must not even take part in
// an expression whose value or error text the guest or a log could see.
func (d *decoder) admit(expr hclsyntax.Expression, where use) bool {
	before := len(d.diags)
	_ = hclsyntax.VisitAll(expr, func(n hclsyntax.Node) hcl.Diagnostics {
		d.admitNode(n, where)
		return nil
	})
	ok := true
	for _, t := range expr.Variables() {
		ok = d.admitReference(t, where) && ok
	}
	return ok && !d.errorsSince(before)
}

// admitNode refuses loops (a policy is read by people, and a few nested ones
// make a list of any length) and functions that do not exist.
func (d *decoder) admitNode(n hclsyntax.Node, where use) {
	switch e := n.(type) {
	case *hclsyntax.ForExpr:
		d.errorf(e.Range(), "loops are not supported", "Write the elements out, so that a reader sees what is granted.")
	case *hclsyntax.SplatExpr:
		d.errorf(e.Range(), "splat expressions are not supported", "Write the elements out, so that a reader sees what is granted.")
	case *hclsyntax.FunctionCallExpr:
		switch {
		case e.Name == "env" && where != defaultValue:
			d.errorf(e.NameRange, "env() may only be used in a variable's default", "Declare variable \"NAME\" { default = env(\"…\") } and write var.NAME here, so that everything a policy takes from outside stands in one place.")
		case e.Name == "cpus" && where == secretValue, e.Name != "env" && e.Name != "cpus":
			d.errorf(e.NameRange, "unknown function", "The functions are cpus(), and env() in a variable's default.%s", didYouMean(e.Name, []string{"env", "cpus"}))
		}
	}
}

func (d *decoder) errorsSince(n int) bool { return d.diags[n:].HasErrors() }

// text evaluates an argument that must be a string.
func (d *decoder) text(attr *hclsyntax.Attribute, where use) (string, bool) {
	v, ok := d.value(attr, where)
	if !ok {
		return "", false
	}
	if v.Type() != cty.String {
		d.wrongType(attr, "a string in quotes", v)
		return "", false
	}
	return v.AsString(), true
}

// boolean evaluates an argument that must be true or false.
func (d *decoder) boolean(attr *hclsyntax.Attribute) (value, ok bool) {
	v, ok := d.value(attr, anywhere)
	if !ok {
		return false, false
	}
	b, err := convert.Convert(v, cty.Bool)
	if err != nil || b.IsNull() {
		d.wrongType(attr, "true or false", v)
		return false, false
	}
	return b.True(), true
}

// integer evaluates an argument that must be a whole number in [low, high].
func (d *decoder) integer(attr *hclsyntax.Attribute, low, high int64) (int, bool) {
	v, ok := d.value(attr, anywhere)
	if !ok {
		return 0, false
	}
	n, err := convert.Convert(v, cty.Number)
	if err != nil || n.IsNull() {
		d.wrongType(attr, "a whole number", v)
		return 0, false
	}
	i, accuracy := n.AsBigFloat().Int64()
	if accuracy != big.Exact || i < low || i > high {
		d.errorf(attr.Expr.Range(), attr.Name+" is out of range", "It is %s (allowed: a whole number from %d to %d).", n.AsBigFloat().Text('g', 20), low, high)
		return 0, false
	}
	return int(i), true
}

// texts evaluates an argument that must be a list of strings. The second
// result gives the place of each.
func (d *decoder) texts(attr *hclsyntax.Attribute) ([]string, []hcl.Range, bool) {
	v, ok := d.value(attr, anywhere)
	if !ok {
		return nil, nil, false
	}
	if !v.Type().IsTupleType() && !v.Type().IsListType() {
		d.wrongType(attr, `a list of strings such as ["…"]`, v)
		return nil, nil, false
	}
	places := elementRanges(attr.Expr, v.LengthInt())
	var out []string
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		if e.Type() != cty.String || e.IsNull() {
			d.errorf(places[len(out)], fmt.Sprintf("%s has an element that is not a string", attr.Name), "Element %d is %s. Put it in quotes.", len(out)+1, kind(e))
			return nil, nil, false
		}
		out = append(out, e.AsString())
	}
	return out, places, true
}

// elementRanges gives the place of each of n elements; where the list is not
// written out, that of the whole expression.
func elementRanges(expr hclsyntax.Expression, n int) []hcl.Range {
	out := make([]hcl.Range, n)
	tuple, written := expr.(*hclsyntax.TupleConsExpr)
	for i := range out {
		out[i] = expr.Range()
		if written && i < len(tuple.Exprs) {
			out[i] = tuple.Exprs[i].Range()
		}
	}
	return out
}

func (d *decoder) wrongType(attr *hclsyntax.Attribute, want string, got cty.Value) {
	d.errorf(attr.Expr.Range(), attr.Name+" has the wrong type", "It is %s, but must be %s.", kind(got), want)
}

// kind names a type with its article, never the value.
func kind(v cty.Value) string {
	t := v.Type()
	switch {
	case v.IsNull():
		return "null"
	case t == cty.String:
		return "a string"
	case t == cty.Number:
		return "a number"
	case t == cty.Bool:
		return "a boolean"
	case t.IsTupleType(), t.IsListType(), t.IsSetType():
		return "a list"
	case t.IsObjectType(), t.IsMapType():
		return "an object"
	}
	return "something else"
}
