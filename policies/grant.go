package policies

import (
	"sort"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
)

// rule is one allow block.
type rule struct {
	order      int // of declaration
	endpoint   endpoint
	wildcard   bool // endpoint.host is what must follow "*."
	literal    bool // the label spells an address out
	methods    methodSet
	patterns   []pattern
	credential *injection // nil when none
	declared   hcl.Range
}

// label is the rule's host as the policy would write it in full.
func (r *rule) label() string {
	e := r.endpoint
	if r.wildcard {
		e.host = "*." + e.host
	}
	return e.String()
}

// HTTPGrant is an http block: what a plugin may request. It does not change
// and may be used by many goroutines at once.
type HTTPGrant struct {
	rules     []*rule // as declared
	exact     map[endpoint]*site
	wildcards map[endpoint]*site // by what follows "*."
	hosts     map[hostKey]*rule  // the first rule about a host, to explain denials
	rateN     int
	ratePer   time.Duration
}

// site is what is allowed at one endpoint.
type site struct {
	root  route
	rules []*rule
}

type hostKey struct {
	host     string
	wildcard bool
}

func newGrant(rules []*rule) *HTTPGrant {
	g := &HTTPGrant{rules: rules, exact: map[endpoint]*site{}, wildcards: map[endpoint]*site{}, hosts: map[hostKey]*rule{}}
	for i, r := range rules {
		r.order = i
		index := g.exact
		if r.wildcard {
			index = g.wildcards
		}
		s := index[r.endpoint]
		if s == nil {
			s = &site{}
			index[r.endpoint] = s
		}
		s.rules = append(s.rules, r)
		for _, p := range r.patterns {
			s.root.add(p, r)
		}
		if key := (hostKey{r.endpoint.host, r.wildcard}); g.hosts[key] == nil {
			g.hosts[key] = r
		}
	}
	return g
}

// Rate is how many requests may start in what time; ok is false when the
// policy sets no rate.
func (g *HTTPGrant) Rate() (n int, per time.Duration, ok bool) {
	if g == nil {
		return 0, 0, false
	}
	return g.rateN, g.ratePer, g.rateN > 0
}

// match finds the rule for a request. It does not allocate. Of several that
// match, the one declared first counts, as in a firewall.
func (g *HTTPGrant) match(t *target, method methodSet) *rule {
	s := search{method: method}
	path := t.path[1:]
	if at := g.exact[t.endpoint]; at != nil {
		s.walk(&at.root, path, true)
	}
	if len(g.wildcards) == 0 {
		return s.best
	}
	for e := t.endpoint; ; {
		dot := strings.IndexByte(e.host, '.')
		if dot < 0 {
			return s.best
		}
		e.host = e.host[dot+1:]
		if at := g.wildcards[e]; at != nil {
			s.walk(&at.root, path, true)
		}
	}
}

// secrets lists what the rules' credentials name, once each, sorted.
func (g *HTTPGrant) secrets() []Secret {
	byName := map[string]Secret{}
	for _, r := range g.rules {
		if r.credential != nil {
			byName[r.credential.secret.name] = r.credential.secret
		}
	}
	out := make([]Secret, 0, len(byName))
	for _, s := range byName {
		out = append(out, s)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].name < out[j].name })
	return out
}
