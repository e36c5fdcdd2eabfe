package main

import (
	"strings"
	"unicode"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// blocks are the elements that stand on lines of their own, and how many line breaks
// are around them.
var blocks = map[atom.Atom]int{
	atom.P: 2, atom.H1: 2, atom.H2: 2, atom.H3: 2, atom.H4: 2, atom.H5: 2, atom.H6: 2, atom.Pre: 2, atom.Blockquote: 2,
	atom.Ul: 2, atom.Ol: 2, atom.Dl: 2, atom.Table: 2, atom.Hr: 2, atom.Section: 2, atom.Article: 2, atom.Figure: 2,
	atom.Div: 1, atom.Li: 1, atom.Dt: 1, atom.Dd: 1, atom.Tr: 1, atom.Caption: 1, atom.Figcaption: 1, atom.Main: 1,
	atom.Header: 1, atom.Footer: 1, atom.Aside: 1, atom.Nav: 1, atom.Address: 1, atom.Details: 1, atom.Summary: 1,
	atom.Form: 1, atom.Fieldset: 1, atom.Legend: 1, atom.Body: 1, atom.Center: 1,
}

// writer writes text with as many line breaks and spaces as are due, and none at
// either end.
type writer struct {
	out    strings.Builder
	breaks int
	space  bool
	lists  int // around what is written
}

// plain writes a cleaned page as text.
func plain(root *html.Node) string {
	w := &writer{}
	w.element(root, false)
	return w.out.String()
}

func (w *writer) element(n *html.Node, kept bool) {
	around := blocks[n.DataAtom]
	switch n.DataAtom {
	case atom.Ul, atom.Ol:
		if w.lists++; w.lists > 1 {
			around = 1
		}
		defer func() { w.lists-- }()
	}
	w.due(around)
	switch n.DataAtom {
	case atom.Li:
		w.text(strings.Repeat("  ", max(w.lists-1, 0))+"- ", true)
	case atom.Td, atom.Th:
		for s := n.PrevSibling; s != nil; s = s.PrevSibling {
			if s.Type == html.ElementNode {
				w.text(" | ", true)
				break
			}
		}
	case atom.Br:
		w.text("\n", true)
	case atom.Pre:
		kept = true
	}
	for child := n.FirstChild; child != nil; child = child.NextSibling {
		switch child.Type {
		case html.TextNode:
			w.text(child.Data, kept)
		case html.ElementNode:
			w.element(child, kept)
		}
	}
	w.due(around)
}

// due asks for line breaks before what comes next.
func (w *writer) due(breaks int) { w.breaks = max(w.breaks, breaks) }

// text writes text with its white space, or with white space as HTML sees it.
func (w *writer) text(s string, kept bool) {
	if kept {
		w.flush()
		w.out.WriteString(s)
		return
	}
	for i, word := range strings.FieldsFunc(s, collapsible) {
		if i > 0 || collapsible(rune(s[0])) {
			w.space = true
		}
		w.flush()
		w.out.WriteString(word)
	}
	if s != "" && collapsible(rune(s[len(s)-1])) {
		w.space = true
	}
}

// collapsible is white space that HTML collapses; a no-break space is none.
func collapsible(r rune) bool { return r < 0x80 && unicode.IsSpace(r) }

func (w *writer) flush() {
	switch text := w.out.String(); {
	case text == "":
	case w.breaks > 0:
		for have := len(text) - len(strings.TrimRight(text, "\n")); have < w.breaks; have++ {
			w.out.WriteByte('\n')
		}
	case w.space && !strings.HasSuffix(text, "\n") && !strings.HasSuffix(text, " "):
		w.out.WriteByte(' ')
	}
	w.breaks, w.space = 0, false
}
