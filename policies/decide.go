package policies

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/agext/levenshtein"
)

// A guest can ask as often as it likes, so a no must not cost much more than a
// yes, whatever the policy and the URL.
const (
	maxExplained = 16 // rules that are looked at to explain a denial
	maxCompared  = 64 // characters of a host that is compared with others
)

// Decision is the answer to one request of a guest.
type Decision struct {
	// Allowed says whether the request may be made. All other fields but
	// Reason are set only then.
	Allowed bool
	// Reason is one line for the guest and the audit log: what was asked, the
	// nearest rule and why it does not match. It has no control characters.
	Reason string
	// Rule is the place of the allow block, such as "github.hcl:31".
	Rule string
	// URL is canonical and the caller's own: the one that was matched and the
	// only one that may be sent. Its port is explicit; see HostHeader.
	URL *url.URL
	// Credential is what to inject, or nil.
	Credential *Credential
	// LiteralAddr says that the rule spells out an IP address or localhost, so
	// that the dialer may connect to a private address for this host and port.
	LiteralAddr bool
}

// HostHeader is the Host header for the URL: without the port when it is the
// scheme's own, as clients send it.
func (d Decision) HostHeader() string {
	if d.URL == nil {
		return ""
	}
	return hostHeader(d.URL)
}

func hostHeader(u *url.URL) string {
	port := map[string]string{"http": ":80", "https": ":443"}[u.Scheme]
	return strings.TrimSuffix(u.Host, port)
}

// Decide answers whether a request may be made. method and rawURL are the
// guest's own words. A nil grant denies everything.
func (g *HTTPGrant) Decide(method, rawURL string) Decision {
	if g == nil {
		return deny("no http block grants this plugin any request")
	}
	m, err := parseMethod(method)
	if err != nil {
		return deny("%s", err)
	}
	t, err := parseTarget(rawURL)
	if err != nil {
		return deny("URL %s is refused: %s", quote(rawURL), err)
	}
	r := g.match(&t, m)
	if r == nil {
		return deny("%s", g.explain(&t, method))
	}
	if r.credential != nil {
		if name, taken := r.credential.collides(t.query); taken {
			return deny("the query parameter %s is the one that carries the credential of %s: leave it out", quote(name), place(r.declared))
		}
	}
	d := Decision{
		Allowed:     true,
		Reason:      fmt.Sprintf("%s %s%s is allowed by %s", method, t.endpoint, short(t.path), place(r.declared)),
		Rule:        place(r.declared),
		URL:         t.url(),
		LiteralAddr: r.literal,
	}
	if r.credential != nil {
		d.Credential = &Credential{injection: r.credential, endpoint: t.endpoint}
	}
	return d
}

func deny(format string, args ...any) Decision {
	return Decision{Reason: fmt.Sprintf(format, args...)}
}

// explain says why no rule matches, by the rule that came nearest.
func (g *HTTPGrant) explain(t *target, method string) string {
	asked := fmt.Sprintf("%s %s%s is denied", method, t.endpoint, short(t.path))
	if len(g.rules) == 0 {
		return asked + ": the http block allows nothing"
	}
	if r := g.match(t, allMethods); r != nil {
		return fmt.Sprintf("%s: %s allows this path for %s only", asked, place(r.declared), r.methods)
	}
	if r := g.nearestPath(t); r != nil {
		return fmt.Sprintf("%s: %s allows the paths %s", asked, place(r.declared), r.paths())
	}
	if r := g.sameHost(t.host); r != nil {
		return fmt.Sprintf("%s: %s allows %s, which is another scheme or port", asked, place(r.declared), r.label())
	}
	r := g.nearestHost(t.host)
	return fmt.Sprintf("%s: no rule names this host; the nearest is %s at %s", asked, r.label(), place(r.declared))
}

// nearestPath returns the rule for the same endpoint whose pattern shares the
// longest start with the path, or nil.
func (g *HTTPGrant) nearestPath(t *target) *rule {
	var best *rule
	shared := -1
	look := func(at *site) {
		if at == nil {
			return
		}
		for _, r := range at.rules[:min(len(at.rules), maxExplained)] {
			for _, p := range r.patterns[:min(len(r.patterns), maxExplained)] {
				if n := sharedPrefix(p.text, t.path); n > shared {
					best, shared = r, n
				}
			}
		}
	}
	look(g.exact[t.endpoint])
	for e := t.endpoint; len(g.wildcards) > 0; {
		_, after, dot := strings.Cut(e.host, ".")
		if !dot {
			break
		}
		e.host = after
		look(g.wildcards[e])
	}
	return best
}

func sharedPrefix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// sameHost returns the first rule about the host, whatever its scheme and port.
func (g *HTTPGrant) sameHost(host string) *rule {
	if r := g.hosts[hostKey{host, false}]; r != nil {
		return r
	}
	for {
		_, after, dot := strings.Cut(host, ".")
		if !dot {
			return nil
		}
		if r := g.hosts[hostKey{after, true}]; r != nil {
			return r
		}
		host = after
	}
}

// nearestHost returns the rule whose host is spelt most alike.
func (g *HTTPGrant) nearestHost(host string) *rule {
	near := g.rules[0]
	if len(host) > maxCompared {
		return near
	}
	best := -1
	for _, r := range g.rules[:min(len(g.rules), maxExplained)] {
		if len(r.endpoint.host) > maxCompared {
			continue
		}
		if n := levenshtein.Distance(host, r.endpoint.host, nil); best < 0 || n < best {
			near, best = r, n
		}
	}
	return near
}

// paths names the first few paths of a rule.
func (r *rule) paths() string {
	const most = 4
	var names []string
	for i, p := range r.patterns {
		if i == most {
			names = append(names, fmt.Sprintf("and %d more", len(r.patterns)-most))
			break
		}
		names = append(names, short(p.text))
	}
	return strings.Join(names, ", ")
}

// short keeps reasons to a line; canonical paths have no characters to escape.
func short(path string) string {
	const most = 200
	if len(path) > most {
		return path[:most] + "…"
	}
	return path
}
