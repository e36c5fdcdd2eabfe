package policies

import (
	"fmt"
	"sort"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"golang.org/x/net/http/httpguts"
)

// httpGrant decodes an http block.
func (d *decoder) httpGrant(b *hclsyntax.Block) *HTTPGrant {
	d.check(b.Body, httpShape)
	var rules []*rule
	for _, inner := range b.Body.Blocks {
		if inner.Type != "allow" || !httpShape.labelled(inner) {
			continue
		}
		if r := d.allow(inner); r != nil {
			rules = append(rules, r)
		}
	}
	if len(b.Body.Blocks) == 0 {
		d.warnf(b.DefRange(), "this http block allows nothing", "Add allow \"HOST\" { … }, or remove the block.")
	}
	g := newGrant(rules)
	if a := b.Body.Attributes["rate"]; a != nil {
		if text, ok := d.quantity(a, `a rate in quotes, such as "60/m"`); ok {
			var err error
			if g.rateN, g.ratePer, err = parseRate(text); err != nil {
				d.errorf(a.Expr.Range(), "rate is not valid", "%s.", err)
			}
		}
	}
	return g
}

// allow decodes an allow block. It returns nil, and so grants nothing, when
// any part of it could not be resolved: a list of paths that is not known must
// not become every path.
func (d *decoder) allow(b *hclsyntax.Block) *rule {
	before, unset := len(d.diags), d.unset
	d.check(b.Body, allowShape)
	label, err := parseHostLabel(b.Labels[0])
	if err != nil {
		d.errorf(b.LabelRanges[0], "allow needs a host", "%s.", err)
	}
	r := &rule{
		endpoint: label.endpoint,
		wildcard: label.wildcard,
		literal:  !label.wildcard && label.endpoint.isLiteral(),
		declared: b.DefRange(),
	}
	d.methods(r, b.Body.Attributes["methods"])
	d.paths(r, b.Body.Attributes["paths"])
	if c := d.only(blocksOf(b, "credential")); c != nil && allowShape.labelled(c) {
		r.credential = d.credential(c)
		if label.plaintext() {
			d.warnf(c.DefRange(), "a credential over plain http", "Everybody between here and %s can read it. Use https.", label.endpoint.host)
		}
	}
	if label.linkLocal() {
		d.warnf(b.LabelRanges[0], "this is a link-local address", "Clouds serve the credentials of the machine there.")
	}
	if d.errorsSince(before) || d.unset > unset {
		return nil
	}
	return r
}

func (d *decoder) methods(r *rule, a *hclsyntax.Attribute) {
	if a == nil {
		r.methods = methodGet | methodHead
		return
	}
	texts, places, ok := d.texts(a)
	if !ok {
		return
	}
	if len(texts) == 0 {
		d.errorf(a.Expr.Range(), "methods is empty", "Leave the line out for GET and HEAD, or remove the allow block.")
	}
	for i, text := range texts {
		m, err := parseMethod(text)
		if err != nil {
			d.errorf(places[i], "unknown method", "%s.", err)
		}
		r.methods |= m
	}
}

func (d *decoder) paths(r *rule, a *hclsyntax.Attribute) {
	if a == nil {
		r.patterns = []pattern{{text: "/**", segments: []string{anySegments}}}
		return
	}
	texts, places, ok := d.texts(a)
	if !ok {
		return
	}
	if len(texts) == 0 {
		d.errorf(a.Expr.Range(), "paths is empty", "Leave the line out for every path, or remove the allow block.")
	}
	for i, text := range texts {
		p, err := parsePattern(text)
		if err != nil {
			d.errorf(places[i], "path is not valid", "%s.", err)
			continue
		}
		r.patterns = append(r.patterns, p)
	}
}

// credential decodes a credential block.
func (d *decoder) credential(b *hclsyntax.Block) *injection {
	before := len(d.diags)
	d.check(b.Body, credentialShape)
	s := d.secrets[b.Labels[0]]
	if s == nil {
		names := make([]string, 0, len(d.secrets))
		for n := range d.secrets {
			names = append(names, n)
		}
		sort.Strings(names)
		d.errorf(b.LabelRanges[0], fmt.Sprintf("unknown secret %q", b.Labels[0]), "No secret block of this name is declared.%s", didYouMean(b.Labels[0], names))
		s = &declaredSecret{}
	}
	s.used = true
	i := &injection{secret: s.secret}
	attrs := b.Body.Attributes
	ways := 0
	for _, way := range []struct {
		name   string
		decode func(*injection, *hclsyntax.Attribute)
	}{{"bearer", d.bearer}, {"header", d.header}, {"basic", d.basic}, {"query", d.query}} {
		if a := attrs[way.name]; a != nil {
			ways++
			way.decode(i, a)
		}
	}
	if ways > 1 || ways == 0 && !d.errorsSince(before) {
		d.errorf(b.DefRange(), "a credential needs one way to be sent", "It has %d. Write one of: bearer = true, header = \"X-Name\", basic = \"user\", query = \"name\".", ways)
	}
	if a := attrs["prefix"]; a != nil {
		d.prefix(i, a, attrs["header"] != nil)
	}
	return i
}

func (d *decoder) bearer(i *injection, a *hclsyntax.Attribute) {
	on, ok := d.boolean(a)
	if ok && !on {
		d.errorf(a.Expr.Range(), "bearer is false", "Write bearer = true, or another way to send the secret.")
	}
	i.header, i.prefix = "Authorization", "Bearer "
}

func (d *decoder) header(i *injection, a *hclsyntax.Attribute) {
	text, ok := d.text(a, anywhere)
	if !ok {
		return
	}
	name, err := parseHeaderName(text)
	if err != nil {
		d.errorf(a.Expr.Range(), "header is not valid", "%s.", err)
	}
	i.header = name
}

func (d *decoder) prefix(i *injection, a *hclsyntax.Attribute, hasHeader bool) {
	text, ok := d.text(a, anywhere)
	switch {
	case !ok:
	case !hasHeader:
		d.errorf(a.NameRange, "prefix without header", "A prefix goes before the secret in a header: write header = \"X-Name\" too.")
	case !httpguts.ValidHeaderFieldValue(text) || !isASCII(text):
		d.errorf(a.Expr.Range(), "prefix is not valid", "%s cannot stand in a header.", quote(text))
	default:
		i.prefix = text
	}
}

func (d *decoder) basic(i *injection, a *hclsyntax.Attribute) {
	user, ok := d.text(a, anywhere)
	if !ok {
		return
	}
	for _, c := range user {
		if c == ':' || c < 0x20 || c == 0x7f {
			d.errorf(a.Expr.Range(), "basic is not a user name", "%s has a colon or a control character. Write the user name only; the password is the secret.", quote(user))
			return
		}
	}
	i.header, i.basic, i.user = "Authorization", true, user
}

func (d *decoder) query(i *injection, a *hclsyntax.Attribute) {
	text, ok := d.text(a, anywhere)
	if !ok {
		return
	}
	if err := parseQueryName(text); err != nil {
		d.errorf(a.Expr.Range(), "query is not valid", "%s.", err)
	}
	i.query = text
}
