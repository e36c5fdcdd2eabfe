package main

import (
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

const (
	maxDepth  = 100    // levels of elements
	maxIndent = 12     // levels of lists and quotations
	maxCells  = 10_000 // of a table, and of what cells span in a page
	maxSpan   = 50     // columns or rows of one cell
	maxHref   = 2000   // bytes of a link's address
	maxAlt    = 300    // characters of an image's description
)

// dropped elements are not for reading.
var dropped = map[atom.Atom]bool{
	atom.Script: true, atom.Style: true, atom.Noscript: true, atom.Template: true, atom.Head: true, atom.Meta: true,
	atom.Link: true, atom.Iframe: true, atom.Frame: true, atom.Frameset: true, atom.Noframes: true, atom.Object: true,
	atom.Embed: true, atom.Applet: true, atom.Canvas: true, atom.Svg: true, atom.Audio: true, atom.Video: true,
	atom.Input: true, atom.Textarea: true, atom.Select: true, atom.Datalist: true, atom.Map: true, atom.Area: true,
	atom.Progress: true, atom.Meter: true, atom.Noembed: true, atom.Param: true, atom.Source: true,
	atom.Track: true, atom.Base: true, atom.Title: true,
}

// around are the roles and elements that stand around the main part of a page.
var around = map[string]bool{"navigation": true, "banner": true, "contentinfo": true, "complementary": true, "search": true}

// cleaner takes a parsed page apart in place.
type cleaner struct {
	rules  *rules
	base   *url.URL
	whole  bool // keep what stands around the main part
	images bool
	hidden int // characters left out because nobody sees them
	spans  int // cells that cells have spanned so far
	breath breath
}

// place is where in the page the cleaner is.
type place struct {
	depth, indent int
	main          bool // inside the main part or an article
}

// clean removes and flattens what is below n. Its recursion is bounded by the
// parser, which takes no more than 512 levels.
func (c *cleaner) clean(n *html.Node, at place) {
	for child := n.FirstChild; child != nil; {
		next := child.NextSibling
		switch {
		case child.Type == html.TextNode:
			var removed int
			child.Data, removed = visibleText(child.Data)
			c.hidden += removed
		case child.Type != html.ElementNode:
			n.RemoveChild(child)
		case dropped[child.DataAtom] || !c.whole && c.stands(child, at):
			n.RemoveChild(child)
		case c.rules.hides(child):
			c.hidden += letters(child)
			n.RemoveChild(child)
		case tooDeep(child, at):
			next = hoist(child)
		default:
			c.element(child, at)
		}
		child = next
	}
	joinTexts(n)
}

// joinTexts makes one of texts that what stood between them has left side by side. The
// converter would, too, but by adding one to the other, which takes hours for as many
// as a page can have.
func joinTexts(n *html.Node) {
	for first := n.FirstChild; first != nil; first = first.NextSibling {
		next := first.NextSibling
		if first.Type != html.TextNode || next == nil || next.Type != html.TextNode {
			continue
		}
		var joined strings.Builder
		joined.WriteString(first.Data)
		for next != nil && next.Type == html.TextNode {
			joined.WriteString(next.Data)
			n.RemoveChild(next)
			next = first.NextSibling
		}
		first.Data = joined.String()
	}
}

// stands reports whether an element stands around the main part.
func (c *cleaner) stands(n *html.Node, at place) bool {
	if around[strings.ToLower(attribute(n, "role"))] {
		return true
	}
	switch n.DataAtom {
	case atom.Nav:
		return true
	case atom.Header, atom.Footer, atom.Aside:
		return !at.main
	}
	return false
}

func (c *cleaner) element(n *html.Node, at place) {
	c.breath.every(500)
	below := at
	below.depth++
	switch n.DataAtom {
	case atom.Main, atom.Article:
		below.main = true
	case atom.Table:
		c.table(n)
	}
	if indents[n.DataAtom] {
		below.indent++
	}
	if strings.EqualFold(attribute(n, "role"), "main") {
		below.main = true
	}
	c.attributes(n)
	c.clean(n, below)
	switch n.DataAtom {
	case atom.Img:
		c.image(n)
		return
	case atom.Td, atom.Th:
		oneLine(n)
	}
	if n.DataAtom == atom.A && n.FirstChild != nil && n.FirstChild == n.LastChild && strings.Contains(" # ¶ § ", " "+strings.TrimSpace(n.FirstChild.Data)+" ") {
		n.Parent.RemoveChild(n) // the handle of a heading
	}
}

// indents are the elements that Markdown indents what is in them for.
var indents = map[atom.Atom]bool{atom.Ul: true, atom.Ol: true, atom.Blockquote: true, atom.Dl: true}

// tooDeep reports whether an element with something in it is deeper than is kept.
func tooDeep(n *html.Node, at place) bool {
	return n.FirstChild != nil && (at.depth >= maxDepth || at.indent >= maxIndent && indents[n.DataAtom])
}

// hoist puts an element's children into its place, on lines of their own, and returns
// the first, which is still to be cleaned. This way each is moved once, however deep it
// is.
func hoist(n *html.Node) *html.Node {
	parent, first := n.Parent, n.FirstChild
	for child := first; child != nil; child = n.FirstChild {
		n.RemoveChild(child)
		parent.InsertBefore(child, n)
	}
	parent.InsertBefore(&html.Node{Type: html.ElementNode, Data: "br", DataAtom: atom.Br}, n)
	parent.RemoveChild(n)
	return first
}

// attributes keeps those that have a meaning in Markdown, checked. Nobody sees a
// title, a label or data-*, and models would read them.
func (c *cleaner) attributes(n *html.Node) {
	var kept []html.Attribute
	keep := func(key, value string) { kept = append(kept, html.Attribute{Key: key, Val: value}) }
	for _, a := range n.Attr {
		switch {
		case n.DataAtom == atom.A && a.Key == "href":
			if address := c.address(a.Val); address != "" {
				keep("href", address)
			}
		case n.DataAtom == atom.Img && a.Key == "src":
			if address := c.address(a.Val); strings.HasPrefix(address, "http") {
				keep("src", address)
			}
		case n.DataAtom == atom.Img && a.Key == "alt":
			alt, removed := visibleText(a.Val)
			c.hidden += removed
			keep("alt", shorten(strings.Join(strings.Fields(alt), " "), maxAlt))
		case (n.DataAtom == atom.Td || n.DataAtom == atom.Th) && (a.Key == "colspan" || a.Key == "rowspan"):
			if span, err := strconv.Atoi(strings.TrimSpace(a.Val)); err == nil && span > 1 {
				keep(a.Key, strconv.Itoa(min(span, maxSpan)))
			}
		case (n.DataAtom == atom.Td || n.DataAtom == atom.Th) && a.Key == "align":
			keep("align", strings.ToLower(a.Val))
		case n.DataAtom == atom.Ol && a.Key == "start":
			if start, err := strconv.ParseInt(strings.TrimSpace(a.Val), 10, 32); err == nil && start >= 0 {
				keep("start", strconv.FormatInt(start, 10))
			}
		case (n.DataAtom == atom.Code || n.DataAtom == atom.Pre) && a.Key == "class":
			if language := codeLanguage(a.Val); language != "" {
				keep("class", "language-"+language)
			}
		}
	}
	n.Attr = kept
	if n.DataAtom == atom.Td || n.DataAtom == atom.Th {
		c.span(n)
	}
}

// span drops a cell's spans when those of the page are used up.
func (c *cleaner) span(n *html.Node) {
	cells := 1
	for _, a := range n.Attr {
		if a.Key == "colspan" || a.Key == "rowspan" {
			span, _ := strconv.Atoi(a.Val)
			cells *= max(span, 1)
		}
	}
	if c.spans += cells; cells > 1 && c.spans > maxCells {
		n.Attr = nil
	}
}

// codeLanguage is the language that a class such as language-go names.
func codeLanguage(class string) string {
	for name := range strings.FieldsSeq(class) {
		for _, prefix := range []string{"language-", "lang-", "highlight-source-"} {
			language, ok := strings.CutPrefix(name, prefix)
			if ok && language != "" && len(language) <= 20 && strings.Trim(strings.ToLower(language), "abcdefghijklmnopqrstuvwxyz0123456789+#-") == "" {
				return language
			}
		}
	}
	return ""
}

// address is a link's absolute address, or "" for one that leads nowhere a reader
// could go: into the same page, to a script, into a data: URI.
func (c *cleaner) address(reference string) string {
	reference = strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || r == '\r' || invisible(r) {
			return -1 // as browsers do
		}
		return r
	}, strings.TrimSpace(reference))
	if reference == "" || strings.HasPrefix(reference, "#") || len(reference) > maxHref {
		return ""
	}
	u, err := c.base.Parse(reference)
	if err != nil {
		return ""
	}
	switch u.Scheme {
	case "http", "https":
		if u.Host == "" || u.User != nil {
			return ""
		}
	case "mailto", "tel":
	default:
		return ""
	}
	return u.String()
}

// oneLine takes the line breaks out of a cell that is one paragraph, since a table of
// Markdown has no room for them.
func oneLine(cell *html.Node) {
	var breaks []*html.Node
	for n := range cell.Descendants() {
		switch {
		case n.DataAtom == atom.Br:
			breaks = append(breaks, n)
		case blocks[n.DataAtom] > 0:
			return
		}
	}
	parents := map[*html.Node]bool{}
	for _, n := range breaks {
		parents[n.Parent] = true
		n.Parent.InsertBefore(&html.Node{Type: html.TextNode, Data: " "}, n)
		n.Parent.RemoveChild(n)
	}
	for parent := range parents {
		joinTexts(parent)
	}
}

// image leaves an image's description as text, unless its address is wanted.
func (c *cleaner) image(n *html.Node) {
	alt, source := attribute(n, "alt"), attribute(n, "src")
	if c.images && source != "" {
		return
	}
	if alt != "" {
		n.Parent.InsertBefore(&html.Node{Type: html.TextNode, Data: "(image: " + alt + ")"}, n)
	}
	n.Parent.RemoveChild(n)
}

// table turns one that would become too large into lines.
func (c *cleaner) table(table *html.Node) {
	rows, columns, cells := 0, 0, 0
	var parts []*html.Node
	for n := range table.Descendants() {
		switch n.DataAtom {
		case atom.Tr:
			rows++
			cells = 0
		case atom.Td, atom.Th:
			cells++
			columns = max(columns, cells)
		case atom.Thead, atom.Tbody, atom.Tfoot, atom.Caption:
		default:
			continue
		}
		parts = append(parts, n)
	}
	if rows*columns <= maxCells {
		return
	}
	for _, n := range append(parts, table) {
		if n.DataAtom == atom.Td || n.DataAtom == atom.Th {
			n.Data, n.DataAtom = "span", atom.Span
			n.AppendChild(&html.Node{Type: html.TextNode, Data: " "})
		} else {
			n.Data, n.DataAtom = "div", atom.Div
		}
	}
}

func attribute(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}
