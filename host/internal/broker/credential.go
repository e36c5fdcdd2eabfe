package broker

import (
	"bytes"
	"fmt"
	"net/http"

	"github.com/ringfence/ringfence/pluginkit/wire"
)

// inject builds the request that is sent and puts the credential into it.
func (x *exchange) inject() *refusal {
	if x.decision.Credential == nil {
		var r *refusal
		x.out, r = x.build()
		return r
	}
	return x.applyCredential()
}

// build makes the request of the decision: the guest's headers and body, to where
// the policy said.
func (x *exchange) build() (*http.Request, *refusal) {
	out, err := http.NewRequestWithContext(x.ctx, x.req.GetMethod(), "http://placeholder.invalid/", bytes.NewReader(x.req.GetBody()))
	if err != nil {
		return nil, failed(wire.Code_CODE_INVALID, "the request is malformed", err.Error())
	}
	u := *x.decision.URL // a copy: the credential may go into it, and decision.URL is recorded
	out.URL, out.Host = &u, x.decision.HostHeader()
	out.Header = x.header.Clone()
	out.Header.Set("Accept-Encoding", "gzip") // decompressed by us, within our limit
	if out.Header.Get("User-Agent") == "" {
		out.Header.Set("User-Agent", "ringfence")
	}
	return out, nil
}

// maxTries is how often a secret may change while it is used.
const maxTries = 3

// applyCredential reads the secret before and after Apply, which reads it too: a
// file that is rotated just then must not leave a value in the request that
// nobody looks for in the response.
func (x *exchange) applyCredential() *refusal {
	c := x.decision.Credential
	unavailable := func(detail string) *refusal {
		return failed(wire.Code_CODE_UNAVAILABLE, fmt.Sprintf("the credential %q is not available", c.Secret().Name()), detail)
	}
	for range maxTries {
		out, r := x.build()
		if r != nil {
			return r
		}
		before, err := c.Secret().Reveal()
		if err != nil {
			return unavailable(err.Error())
		}
		x.needles = newNeedles(c.Secret().Name(), before)
		if err := c.Apply(out); err != nil {
			return unavailable(err.Error())
		}
		after, err := c.Secret().Reveal()
		if err != nil {
			return unavailable(err.Error())
		}
		if after == before {
			x.out = out
			return nil
		}
	}
	return unavailable("it changes all the time")
}
