package broker

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"github.com/ringfence/ringfence/host/internal/audit"
	"github.com/ringfence/ringfence/pluginkit/wire"
	"github.com/ringfence/ringfence/policies"
)

// exchange is one HTTP request on its way through the chain. Each link reads what
// the links before it left.
type exchange struct {
	s      *Session
	ctx    context.Context
	cancel context.CancelCauseFunc
	req    *wire.HttpRequest
	start  time.Time

	header   http.Header       // form: the guest's headers
	decision policies.Decision // endpoint
	release  []func()          // slot: run at the end, in any order
	kept     bool              // the body has a handle
	recorded bool              // record: the request is on record as allowed
	out      *http.Request     // credential: what is sent
	needles  *needles          // credential: what must not come back; nil: nothing
	status   int               // execute
	reply    http.Header       // execute: the headers for the guest
	body     *body             // execute: all of it, or a stream
}

// link is one station of the chain. It returns nil to let the request pass.
type link struct {
	name string
	run  func(*exchange) *refusal
}

// chain is the life of an HTTP request, in the order of DESIGN: validate, scan,
// inject, execute, scan. A guard on requests goes behind "endpoint", where no
// secret of ours is in the request yet; a guard on responses goes last, behind
// "reflection", and works on the spooled body, which then must have come whole.
var chain = []link{
	{"form", (*exchange).checkForm},
	{"endpoint", (*exchange).checkEndpoint},
	{"slot", (*exchange).takeSlot},
	{"rate", (*exchange).takeRate},
	{"record", (*exchange).recordAllowed},
	{"credential", (*exchange).inject},
	{"execute", (*exchange).execute},
	{"reflection", (*exchange).refuseReflection},
}

// http takes one request through the chain.
func (s *Session) http(ctx context.Context, req *wire.HttpRequest) *wire.CapabilityReply {
	x := &exchange{s: s, req: req, start: time.Now()}
	// Not of ctx: what is pulled later must outlive this request.
	x.ctx, x.cancel = context.WithCancelCause(s.ctx)
	defer context.AfterFunc(ctx, func() { x.cancel(context.Cause(ctx)) })()
	defer x.end()
	for _, l := range chain {
		if r := l.run(x); r != nil {
			return x.refuse(r)
		}
	}
	e := x.entry("http_response", audit.Allow, "")
	if err := s.record(e); err != nil {
		return answer(wire.Code_CODE_INTERNAL, unrecorded)
	}
	size, known := x.body.size()
	x.kept = true // the body is the session's now
	return &wire.CapabilityReply{
		Status:    uint32(x.status),
		Headers:   wireHeaders(x.reply),
		BodyBytes: size,
		Unsized:   !known,
		Handle:    s.keep(x.body),
	}
}

// end frees whatever the chain took and did not hand on.
func (x *exchange) end() {
	if !x.kept {
		x.cancel(nil)
		if x.body != nil {
			x.body.close()
		}
	}
	for _, f := range x.release {
		f()
	}
}

// refuse puts a refusal on record and answers it.
func (x *exchange) refuse(r *refusal) *wire.CapabilityReply {
	kind := "http"
	if x.recorded {
		kind = "http_response"
	}
	if err := x.recordRefusal(kind, r); err != nil {
		return answer(wire.Code_CODE_INTERNAL, unrecorded)
	}
	return r.answer()
}

// recordRefusal puts a refusal on record, and keeps it for the user.
func (x *exchange) recordRefusal(kind string, r *refusal) error {
	reason := cmp.Or(r.logged, r.message)
	if r.detail != "" {
		reason += ": " + x.scrub(r.detail)
	}
	e := x.entry(kind, r.decision, reason)
	if r.decision == audit.Deny {
		x.s.deny(Denial{Kind: kind, Rule: e.Rule, Reason: r.message, Method: e.Details.Method, URL: e.Details.URL})
	}
	return x.s.record(e)
}

// entry describes the exchange as far as it got. The URL is the one before the
// credential was added.
func (x *exchange) entry(kind string, d audit.Decision, reason string) audit.Entry {
	e := audit.Entry{Kind: kind, Decision: d, Rule: x.decision.Rule, Reason: reason}
	e.Details = audit.Details{Method: x.req.GetMethod(), URL: x.req.GetUrl(), Status: x.status, Sent: int64(len(x.req.GetBody()))}
	if x.decision.URL != nil {
		e.Details.URL = x.decision.URL.String()
	}
	if x.decision.Credential != nil {
		e.Details.Secret = x.decision.Credential.Secret().Name()
	}
	if x.body != nil {
		e.Details.Received = x.body.Size()
	}
	if x.recorded {
		e.Details.Duration = time.Since(x.start)
	}
	return e
}

// checkEndpoint asks the policy. From here on only decision.URL counts; the
// guest's own spelling is never sent.
func (x *exchange) checkEndpoint() *refusal {
	x.decision = x.s.b.cfg.HTTP.Decide(x.req.GetMethod(), x.req.GetUrl())
	if !x.decision.Allowed {
		r := denied("%s", x.decision.Reason)
		r.logged = x.loggedReason()
		return r
	}
	if x.decision.Credential == nil {
		return nil
	}
	return x.checkAgainstCredential()
}

// loggedReason is the policy's reason without the values in the guest's query,
// which a reason that quotes the URL would carry into the log.
func (x *exchange) loggedReason() string {
	redacted := audit.RedactURL(x.req.GetUrl())
	if redacted == x.req.GetUrl() {
		return ""
	}
	if d := x.s.b.cfg.HTTP.Decide(x.req.GetMethod(), redacted); !d.Allowed {
		return d.Reason
	}
	return "the URL's user name, query or fragment is refused"
}

// takeSlot bounds what runs at once. A call over its own bound is refused: an
// honest guest sends one request at a time. A plugin over its bound waits.
func (x *exchange) takeSlot() *refusal {
	s := x.s
	x.release = append(x.release, func() { s.active.Add(-1) })
	if n := s.active.Add(1); n > int64(s.b.limits.Concurrent) {
		return limited("%d requests at once in one call (maximum %d)", n, s.b.limits.Concurrent)
	}
	if r := s.reserve(); r != nil {
		return r
	}
	x.release = append(x.release, s.unreserve)
	select {
	case s.b.slots <- struct{}{}:
		x.release = append(x.release, func() { <-s.b.slots })
		return nil
	case <-x.ctx.Done():
		return x.failure(x.ctx.Err())
	}
}

// takeRate holds the plugin to the policy's rate: a bucket of n that fills
// evenly, so that n may start at once and then one every per/n.
func (x *exchange) takeRate() *refusal {
	b := x.s.b
	if b.rate == nil {
		return nil
	}
	now := b.cfg.Now()
	r := b.rate.ReserveN(now, 1)
	if wait := r.DelayFrom(now); wait > 0 {
		r.CancelAt(now)
		return limited("the policy's rate of %d requests in %s is used up: try again in %s", b.rateN, b.ratePer, wait.Round(time.Millisecond))
	}
	return nil
}

// recordAllowed comes before anything is sent.
func (x *exchange) recordAllowed() *refusal {
	if err := x.s.record(x.entry("http", audit.Allow, x.decision.Reason)); err != nil {
		return failed(wire.Code_CODE_INTERNAL, unrecorded, err.Error())
	}
	x.recorded = true
	return nil
}

// refuseReflection withholds a response in which the injected secret comes back:
// a server that echoes its request would otherwise hand the secret to the guest.
func (x *exchange) refuseReflection() *refusal {
	if x.needles == nil {
		return nil
	}
	found := x.needles.inHeader(x.reply)
	if !found {
		var err error
		if found, err = x.needles.in(x.ctx, x.body.Reader()); err != nil {
			if x.ctx.Err() != nil {
				return x.failure(err)
			}
			return failed(wire.Code_CODE_INTERNAL, "the host failed", "reading a spooled body: "+err.Error())
		}
	}
	if found {
		return denied("the response contains the credential %q that was injected, so it is withheld", x.needles.name)
	}
	return nil
}
