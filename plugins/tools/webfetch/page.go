package main

import (
	"fmt"
	"net/url"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// maxTags bounds the elements of a page: each costs time, however short it is written.
const maxTags = 100_000

// read parses a page and fills in what it says.
func (p *Page) read(source string, args Args) error {
	source = p.bound(source)
	doc, cut, err := parse(source)
	p.Cut = p.Cut || cut
	if err != nil {
		return err
	}
	base, err := url.Parse(p.URL)
	if err != nil {
		return err
	}
	base = p.head(doc, base)
	c := &cleaner{rules: readRules(doc), base: base, whole: args.WholePage, images: args.Images}
	scripts := 0
	body := doc
	for n := range doc.Descendants() {
		switch n.DataAtom {
		case atom.Script:
			scripts++
		case atom.Body:
			body = n
		}
	}
	root := body
	if !args.WholePage {
		root = mainPart(body)
	}
	c.clean(root, place{main: root != body})
	if p.Content, err = render(root, args.Format); err != nil {
		return err
	}
	p.Hidden = c.hidden
	p.links(root, args.MaxLinks)
	if p.Title == "" {
		p.Title = firstHeading(root)
	}
	switch {
	case len(strings.TrimSpace(p.Content)) > 0:
	case c.hidden > 0:
		p.Note = "The page hides all of its text. The raw format shows it."
	case scripts > 0:
		p.Note = "The page shows nothing without running its scripts, which webfetch does not do. Look for an API, a feed or a plain version."
	default:
		p.Note = "The page has no text."
	}
	return nil
}

// bound cuts a page that has more tags than are parsed.
func (p *Page) bound(source string) string {
	tags := 0
	for i := range len(source) {
		if source[i] == '<' {
			if tags++; tags > maxTags {
				p.Cut = true
				return source[:i]
			}
		}
	}
	return source
}

// parse parses a page. One that nests too deep for the parser is given a second try
// without its wrappers.
func parse(source string) (doc *html.Node, cut bool, err error) {
	page := newRoom(source)
	if doc, err = html.Parse(page); err == nil {
		return doc, page.full, nil
	}
	page = newRoom(withoutWrappers(source))
	if doc, second := html.Parse(page); second == nil {
		return doc, page.full, nil
	}
	return nil, false, fmt.Errorf("it cannot be parsed, since it nests elements too deep, as no page for people does (the raw format works): %w", err)
}

// wrappers are elements that mean nothing to a reader. They are what pages that
// forget to close their elements nest by the thousand.
var wrappers = map[string]bool{"div": true, "span": true, "font": true, "b": true, "i": true, "u": true, "big": true,
	"small": true, "center": true, "section": true, "em": true, "strong": true, "tt": true, "nobr": true}

// withoutWrappers takes wrappers out of a page. Those that could hide something,
// having attributes, stay with their end tags.
func withoutWrappers(source string) string {
	var out strings.Builder
	open := map[string][]bool{} // by name: whether each was taken out
	tokens := html.NewTokenizer(strings.NewReader(source))
	for {
		kind := tokens.Next()
		if kind == html.ErrorToken {
			return out.String()
		}
		raw := string(tokens.Raw())
		if kind != html.StartTagToken && kind != html.EndTagToken {
			out.WriteString(raw)
			continue
		}
		tag, attributes := tokens.TagName()
		name := string(tag)
		switch stack := open[name]; {
		case !wrappers[name]:
			out.WriteString(raw)
		case kind == html.StartTagToken:
			open[name] = append(stack, !attributes)
			if attributes {
				out.WriteString(raw)
			}
		case len(stack) > 0:
			if !stack[len(stack)-1] {
				out.WriteString(raw)
			}
			open[name] = stack[:len(stack)-1]
		}
	}
}

// head reads what a page says of itself, and the base of its links.
func (p *Page) head(doc *html.Node, base *url.URL) *url.URL {
	graph := ""
	based := false
	for n := range doc.Descendants() {
		switch n.DataAtom {
		case atom.Html:
			p.Language = line(attribute(n, "lang"), 35)
		case atom.Title:
			if p.Title == "" && n.Namespace == "" && n.FirstChild != nil {
				p.Title = line(n.FirstChild.Data, 300)
			}
		case atom.Base:
			if to, err := base.Parse(strings.TrimSpace(attribute(n, "href"))); err == nil && !based && (to.Scheme == "http" || to.Scheme == "https") {
				base, based = to, true
			}
		case atom.Meta:
			switch name := strings.ToLower(attribute(n, "name") + attribute(n, "property")); {
			case name == "description", name == "og:description" && p.Description == "":
				p.Description = line(attribute(n, "content"), 500)
			case name == "og:title":
				graph = line(attribute(n, "content"), 300)
			}
		}
	}
	if p.Title == "" {
		p.Title = graph
	}
	return base
}

// line is a text in one line without what nobody sees.
func line(s string, most int) string {
	s, _ = visibleText(s)
	return shorten(strings.Join(strings.Fields(s), " "), most)
}

// mainPart is the page's main element, or its only article, or all of it.
func mainPart(body *html.Node) *html.Node {
	var first *html.Node
	var articles []*html.Node
	for n := range body.Descendants() {
		switch {
		case n.DataAtom == atom.Main || strings.EqualFold(attribute(n, "role"), "main"):
			if first == nil && letters(n) >= 100 {
				first = n
			}
		case n.DataAtom == atom.Article && len(articles) < 2:
			articles = append(articles, n)
		}
	}
	switch {
	case first != nil:
		return first
	case len(articles) == 1 && letters(articles[0]) >= 500:
		return articles[0]
	}
	return body
}

func firstHeading(root *html.Node) string {
	for n := range root.Descendants() {
		if n.DataAtom == atom.H1 {
			return line(content(n), 300)
		}
	}
	return ""
}

// content is the text of an element.
func content(n *html.Node) string {
	var out strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			out.WriteString(d.Data)
		}
	}
	return out.String()
}

// links lists where the content leads, each address once.
func (p *Page) links(root *html.Node, most int) {
	seen := map[string]bool{}
	for n := range root.Descendants() {
		address := attribute(n, "href")
		if n.DataAtom != atom.A || !strings.HasPrefix(address, "http") || seen[address] {
			continue
		}
		text := line(content(n), 200)
		if text == "" {
			continue
		}
		seen[address] = true
		if len(p.Links) == most {
			p.MoreLinks++
			continue
		}
		p.Links = append(p.Links, Link{text, address})
	}
}
