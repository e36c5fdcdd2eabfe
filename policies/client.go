package policies

import (
	"time"

	"github.com/hashicorp/hcl/v2/hclsyntax"
)

const (
	defaultSamplingTokens = 1024
	maxSamplingTokens     = 1 << 20
	defaultAskN           = 10
	defaultAskPer         = time.Minute
	defaultAskTimeout     = 5 * time.Minute
	minAskTimeout         = time.Second
)

// ClientGrant is a client block: what a plugin's tools may ask of whoever
// called them, while they run. It does not change. nil grants nothing.
type ClientGrant struct {
	elicitation, sampling bool
	maxTokens             int
	askN                  int
	askPer                time.Duration
	timeout               time.Duration
	declared              string
}

// Elicitation says whether a tool may ask the person at the client.
func (g *ClientGrant) Elicitation() bool { return g != nil && g.elicitation }

// Sampling says whether a tool may have the client's model answer something,
// and how many tokens one answer may have at most.
func (g *ClientGrant) Sampling() (maxTokens int, ok bool) {
	if g == nil || !g.sampling {
		return 0, false
	}
	return g.maxTokens, true
}

// Rate is how many questions of both kinds the plugin may ask in what time, all
// its calls together.
func (g *ClientGrant) Rate() (n int, per time.Duration) {
	if g == nil {
		return 0, 0
	}
	return g.askN, g.askPer
}

// Timeout is how long one question may wait for its answer, 1 s to 24 h.
func (g *ClientGrant) Timeout() time.Duration {
	if g == nil {
		return 0
	}
	return g.timeout
}

// DeclRange is where the block stands, as "file:line".
func (g *ClientGrant) DeclRange() string {
	if g == nil {
		return ""
	}
	return g.declared
}

// clientGrant decodes a client block.
func (d *decoder) clientGrant(b *hclsyntax.Block) *ClientGrant {
	d.check(b.Body, clientShape)
	g := &ClientGrant{maxTokens: defaultSamplingTokens, askN: defaultAskN, askPer: defaultAskPer, timeout: defaultAskTimeout, declared: place(b.DefRange())}
	attrs := b.Body.Attributes
	if a := attrs["elicitation"]; a != nil {
		g.elicitation, _ = d.boolean(a)
	}
	if a := attrs["sampling"]; a != nil {
		g.sampling, _ = d.boolean(a)
	}
	if a := attrs["max_tokens"]; a != nil {
		if n, ok := d.integer(a, 1, maxSamplingTokens); ok {
			g.maxTokens = n
		}
		if !g.sampling {
			d.warnf(a.Expr.Range(), "max_tokens has no effect", "It bounds sampling, which this block does not grant.")
		}
	}
	if a := attrs["rate"]; a != nil {
		if text, ok := d.quantity(a, `a rate in quotes, such as "10/m"`); ok {
			n, per, err := parseRate(text)
			if err != nil {
				d.errorf(a.Expr.Range(), "rate is not valid", "%s.", err)
			} else {
				g.askN, g.askPer = n, per
			}
		}
	}
	if a := attrs["timeout"]; a != nil {
		if t, ok := d.duration(a, minAskTimeout, maxTime); ok {
			g.timeout = t
		}
	}
	if !g.elicitation && !g.sampling {
		d.warnf(b.DefRange(), "this client block grants nothing", "Write elicitation = true or sampling = true, or remove the block.")
	}
	return g
}

// patience lets the calls of a plugin that asks people take longer, unless the policy
// says how long they may: a person's time is not the tool's. What the tool computes
// meanwhile is bounded by cpu_time.
func (d *decoder) patience(p *Plugin, client *hclsyntax.Block, limits *hclsyntax.Block) {
	if limits == nil || limits.Body.Attributes["call_timeout"] == nil {
		if p.client.elicitation || p.client.sampling {
			p.limits.CallTimeout = min(defaultCallTimeout+p.client.timeout, maxTime)
		}
		return
	}
	if a := client.Body.Attributes["timeout"]; a != nil && p.client.timeout >= p.limits.CallTimeout {
		d.warnf(a.Expr.Range(), "a question may wait longer than its call", "call_timeout is %s, so timeout = %q is never reached. Raise call_timeout, or remove it from the limits: then it is %s longer than timeout.",
			p.limits.CallTimeout, p.client.timeout, defaultCallTimeout)
	}
}
