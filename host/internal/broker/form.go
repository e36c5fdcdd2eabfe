package broker

import (
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/ringfence/ringfence/pluginkit"
)

// maxHeaders is how many headers a guest may set.
const maxHeaders = 128

// framing headers decide where a request goes, where it ends, and what the
// connection does; they are the transport's alone. A guest that sets them can
// smuggle a second request or reach another virtual host.
var framing = names("Host", "Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "Upgrade", "Te", "Trailer",
	"Accept-Encoding", "Expect", "Http2-Settings")

// overrides are headers by which some servers take another method, path or host
// than the ones that the policy decided about, or another client than this one.
var overrides = names("X-Http-Method", "X-Http-Method-Override", "X-Method-Override", "X-Original-Url", "X-Rewrite-Url",
	"X-Original-Host", "X-Forwarded-Host", "X-Host", "X-Forwarded-Server", "Forwarded", "X-Forwarded-For", "X-Forwarded-Proto",
	"X-Forwarded-Port", "X-Forwarded-Prefix", "X-Real-Ip", "X-Http-Host-Override")

// identity headers choose who a request comes from. Without a credential of the
// policy they are the guest's business; beside one they would let the guest use
// an allowed endpoint under an account of its own, which is a way to carry data
// out.
var identity = names("Authorization", "Cookie", "Cookie2", "X-Api-Key", "Api-Key", "X-Auth-Token", "Private-Token")

// fragments let a guest collect an echoed secret in pieces too small to find.
var fragments = names("Range", "If-Range")

func names(names ...string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, n := range names {
		m[n] = true
	}
	return m
}

// checkForm bounds and checks what the guest sent, before anything is made of it.
func (x *exchange) checkForm() *refusal {
	head := len(x.req.GetMethod()) + len(x.req.GetUrl())
	for _, h := range x.req.GetHeaders() {
		head += len(h.GetName()) + len(h.GetValue()) + len(": \r\n")
	}
	switch {
	case head > pluginkit.MaxRequestHead:
		return limited("a request head of %d bytes (maximum %d)", head, pluginkit.MaxRequestHead)
	case len(x.req.GetHeaders()) > maxHeaders:
		return limited("%d request headers (maximum %d)", len(x.req.GetHeaders()), maxHeaders)
	case len(x.req.GetBody()) > pluginkit.MaxRequestBody:
		return limited("a request body of %d bytes (maximum %d)", len(x.req.GetBody()), pluginkit.MaxRequestBody)
	}
	x.header = make(http.Header)
	for _, h := range x.req.GetHeaders() {
		name, value := h.GetName(), h.GetValue()
		if !httpguts.ValidHeaderFieldName(name) {
			return invalid("%q is not the name of a header", clip(name, 64))
		}
		if !httpguts.ValidHeaderFieldValue(value) {
			return invalid("the value of header %s has a line break or another control character", clip(name, 64))
		}
		// Servers that hand headers on as CGI variables read _ as -.
		name = http.CanonicalHeaderKey(strings.ReplaceAll(name, "_", "-"))
		if framing[name] || strings.HasPrefix(name, "Proxy-") {
			return denied("header %s belongs to the connection: leave it out", name)
		}
		if overrides[name] {
			return denied("header %s could change what the policy decided about: leave it out", name)
		}
		x.header.Add(h.GetName(), value)
	}
	return nil
}

// checkAgainstCredential refuses headers that are harmless only as long as no
// credential is injected.
func (x *exchange) checkAgainstCredential() *refusal {
	c := x.decision.Credential
	for name := range x.header {
		canonical := http.CanonicalHeaderKey(strings.ReplaceAll(name, "_", "-"))
		switch {
		case c.SetsHeader(canonical) || identity[canonical]:
			return denied("header %s: %s injects the credential %q, so the tool must not identify itself", canonical, x.decision.Rule, c.Secret().Name())
		case fragments[canonical]:
			return denied("header %s is refused where the policy injects a credential: ask for the whole response", canonical)
		}
	}
	return nil
}
