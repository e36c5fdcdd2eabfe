package main

import (
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

const (
	// maxRules bounds what is kept of a page's own style elements.
	maxRules = 2000
	// maxAlike is how many of them may begin with the same class, id or tag: each
	// element is held against all of its own.
	maxAlike = 50
)

// rules are those of a page's own style elements that hide or show by one tag, id or
// classes. Rules with ancestors, states or attributes, and those inside @media and
// the like, are not read: they depend on what is not known here.
type rules struct {
	all     []rule
	same    map[string]int   // by the selector: one rule for each
	next    int              // the order of the next one
	byClass map[string][]int // by the first class
	byID    map[string][]int // those without a class
	byTag   map[string][]int // those without either
}

type rule struct {
	tag, id   string
	classes   []string
	weight    int
	order     int  // of what it says about display
	display   bool // it says something about display …
	none      bool // … namely that there is none
	concealed bool
}

// readRules reads the style elements of a page.
func readRules(doc *html.Node) *rules {
	r := &rules{same: map[string]int{}, byClass: map[string][]int{}, byID: map[string][]int{}, byTag: map[string][]int{}}
	for n := range doc.Descendants() {
		if n.DataAtom == atom.Style && n.FirstChild != nil {
			r.read(n.FirstChild.Data)
		}
	}
	return r
}

func (r *rules) read(css string) {
	css = withoutComments(css)
	for css != "" && len(r.all) < maxRules {
		open := strings.IndexByte(css, '{')
		if open < 0 {
			return
		}
		head := css[:open]
		if end := strings.LastIndexAny(head, ";}"); end >= 0 {
			head = head[end+1:] // @import "…"; and stray brackets
		}
		head = strings.TrimSpace(head)
		css = css[open+1:]
		if strings.HasPrefix(head, "@") {
			css = css[block(css):]
			continue
		}
		end := strings.IndexByte(css, '}')
		if end < 0 {
			end = len(css)
		}
		r.add(head, declarations(css[:end]))
		css = css[min(end+1, len(css)):]
	}
}

// block is the length of a block whose opening bracket has been read.
func block(css string) int {
	depth := 1
	for i := range len(css) {
		switch css[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(css)
}

func withoutComments(css string) string {
	var out strings.Builder
	for {
		before, rest, ok := strings.Cut(css, "/*")
		out.WriteString(before)
		if !ok {
			return out.String()
		}
		_, css, _ = strings.Cut(rest, "*/")
	}
}

func (r *rules) add(selectors string, d map[string]string) {
	template := rule{display: d["display"] != "", none: d["display"] == "none", concealed: concealed(d)}
	if !template.display && !template.concealed {
		return
	}
	for selector := range strings.SplitSeq(selectors, ",") {
		selector = strings.TrimSpace(selector)
		at, known := r.same[selector]
		if !known {
			one, ok := simple(selector)
			if !ok || len(r.all) >= maxRules {
				continue
			}
			index, key := r.byTag, one.tag
			switch {
			case len(one.classes) > 0:
				index, key = r.byClass, one.classes[0]
			case one.id != "":
				index, key = r.byID, one.id
			}
			if len(index[key]) >= maxAlike {
				continue
			}
			at = len(r.all)
			r.all = append(r.all, one)
			r.same[selector] = at
			index[key] = append(index[key], at)
		}
		one := &r.all[at]
		one.concealed = one.concealed || template.concealed
		if template.display {
			one.display, one.none, one.order = true, template.none, r.next
			r.next++
		}
	}
}

// simple reads a selector such as p.note, #menu or .a.b.
func simple(selector string) (rule, bool) {
	var one rule
	if selector == "" || strings.ContainsAny(selector, " >+~:[*\\\n\t") {
		return one, false
	}
	for selector != "" {
		end := strings.IndexAny(selector[1:], ".#") + 1
		if end == 0 {
			end = len(selector)
		}
		part := selector[:end]
		switch {
		case len(part) > 1 && part[0] == '.':
			one.classes = append(one.classes, part[1:])
			one.weight += 100
		case len(part) > 1 && part[0] == '#':
			one.id = part[1:]
			one.weight += 10_000
		default:
			one.tag = strings.ToLower(part)
			one.weight++
		}
		selector = selector[end:]
	}
	return one, true
}

// match reports whether the page's rules hide an element. A style attribute that
// says something of display outranks what they say of it.
func (r *rules) match(n *html.Node, displayed bool) bool {
	if len(r.all) == 0 {
		return false
	}
	var id string
	var classes []string
	for _, a := range n.Attr {
		switch a.Key {
		case "id":
			id = a.Val
		case "class":
			if classes = strings.Fields(a.Val); len(classes) > 50 {
				classes = classes[:50]
			}
		}
	}
	has := make(map[string]bool, len(classes))
	for _, c := range classes {
		has[c] = true
	}
	heaviest, order, none, concealed := -1, -1, false, false
	look := func(list []int) {
		for _, at := range list {
			one := &r.all[at]
			if one.tag != "" && one.tag != n.Data || one.id != "" && one.id != id || !containsAll(has, one.classes) {
				continue
			}
			concealed = concealed || one.concealed
			if one.display && (one.weight > heaviest || one.weight == heaviest && one.order > order) {
				heaviest, order, none = one.weight, one.order, one.none
			}
		}
	}
	for c := range has {
		look(r.byClass[c])
	}
	if id != "" {
		look(r.byID[id])
	}
	look(r.byTag[n.Data])
	return concealed || none && !displayed
}

func containsAll(has map[string]bool, classes []string) bool {
	for _, c := range classes {
		if !has[c] {
			return false
		}
	}
	return true
}
