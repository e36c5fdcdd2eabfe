package broker

import (
	"bytes"
	"fmt"
	"net/http"

	"github.com/ringfence/ringfence/pluginkit/wire"
)

// inject builds the request that is sent and puts the credential into it.
func (x *exchange) inject() *refusal {
	out, err := http.NewRequestWithContext(x.ctx, x.req.GetMethod(), "http://placeholder.invalid/", bytes.NewReader(x.req.GetBody()))
	if err != nil {
		return failed(wire.Code_CODE_INVALID, "the request is malformed", err.Error())
	}
	u := *x.decision.URL // a copy: the credential may go into it, and decision.URL is recorded
	out.URL, out.Host = &u, x.decision.HostHeader()
	out.Header = x.header
	out.Header.Set("Accept-Encoding", "gzip") // decompressed by us, within our limit
	if out.Header.Get("User-Agent") == "" {
		out.Header.Set("User-Agent", "ringfence")
	}
	x.out = out
	if x.decision.Credential == nil {
		return nil
	}
	return x.applyCredential()
}

// applyCredential reads the secret on both sides of Apply, which reads it itself:
// a file that is rotated just then must not leave a value that nobody looks for.
func (x *exchange) applyCredential() *refusal {
	c := x.decision.Credential
	before, err := c.Secret().Reveal()
	if err == nil {
		x.needles = newNeedles(c.Secret().Name(), before)
		err = c.Apply(x.out)
	}
	after := before
	if err == nil {
		after, err = c.Secret().Reveal()
	}
	if err != nil {
		return failed(wire.Code_CODE_UNAVAILABLE, fmt.Sprintf("the credential %q is not available", c.Secret().Name()), err.Error())
	}
	if after != before {
		x.needles = newNeedles(c.Secret().Name(), before, after)
	}
	return nil
}
