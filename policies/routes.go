package policies

import "strings"

// route is a node of the tree of path patterns of one endpoint. Literal
// segments are found by map, so that the time of a decision does not grow with
// the number of rules; a lone "*" has a branch of its own. A pattern is walked
// segment by segment only from its first "**" in the middle or star inside a
// segment on.
//
// Each node is reached by one way only, so a walk visits a node at most once.
type route struct {
	literal map[string]*route
	star    *route
	here    []*rule // patterns that end here
	slashed []*rule // patterns that end here with a slash
	below   []*rule // patterns that end in "**" here
	globs   []glob
}

// glob is a rule with what is left of its pattern at a node.
type glob struct {
	rule     *rule
	segments []string
	slash    bool
}

func (n *route) add(p pattern, r *rule) {
	for i, segment := range p.segments {
		switch {
		case segment == anySegments && i == len(p.segments)-1:
			n.below = append(n.below, r)
			return
		case segment == "*":
			if n.star == nil {
				n.star = &route{}
			}
			n = n.star
		case strings.ContainsRune(segment, '*'):
			n.globs = append(n.globs, glob{rule: r, segments: p.segments[i:], slash: p.slash})
			return
		default:
			if n.literal == nil {
				n.literal = map[string]*route{}
			}
			if n.literal[segment] == nil {
				n.literal[segment] = &route{}
			}
			n = n.literal[segment]
		}
	}
	if p.slash {
		n.slashed = append(n.slashed, r)
		return
	}
	n.here = append(n.here, r)
}

// search looks for the rule that was declared first among those that match.
type search struct {
	method methodSet
	best   *rule
}

// walk matches path: what follows a slash, where more says whether there was one.
func (s *search) walk(n *route, path string, more bool) {
	s.consider(n.below)
	for i := range n.globs {
		g := &n.globs[i]
		if s.wants(g.rule) && matchSegments(g.segments, g.slash, path, more) {
			s.best = g.rule
		}
	}
	switch {
	case !more:
		s.consider(n.here)
		return
	case path == "":
		s.consider(n.slashed)
		return
	}
	segment, rest, restMore := strings.Cut(path, "/")
	if next := n.literal[segment]; next != nil {
		s.walk(next, rest, restMore)
	}
	if n.star != nil {
		s.walk(n.star, rest, restMore)
	}
}

func (s *search) consider(rules []*rule) {
	for _, r := range rules {
		if s.wants(r) {
			s.best = r
		}
	}
}

func (s *search) wants(r *rule) bool {
	return r.methods&s.method != 0 && (s.best == nil || r.order < s.best.order)
}
