package broker

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/ringfence/ringfence/host/internal/audit"
	"github.com/ringfence/ringfence/pluginkit/wire"
)

// refusal is why a link stopped a request. The message is for the guest and is
// made of its own words and of ours; the detail is for the audit log.
type refusal struct {
	code     wire.Code
	decision audit.Decision
	message  string
	detail   string
	logged   string // instead of the message in the audit log; "": the message
}

// answer is what the guest is told.
func (r *refusal) answer() *wire.CapabilityReply { return answer(r.code, r.message) }

func denied(format string, args ...any) *refusal {
	return &refusal{code: wire.Code_CODE_DENIED, decision: audit.Deny, message: fmt.Sprintf(format, args...)}
}

func invalid(format string, args ...any) *refusal {
	return &refusal{code: wire.Code_CODE_INVALID, decision: audit.Deny, message: fmt.Sprintf(format, args...)}
}

func limited(format string, args ...any) *refusal {
	return &refusal{code: wire.Code_CODE_LIMIT, decision: audit.Deny, message: fmt.Sprintf(format, args...)}
}

// failed is for what was allowed and went wrong.
func failed(code wire.Code, message, detail string) *refusal {
	return &refusal{code: code, decision: audit.Failed, message: message, detail: detail}
}

// Reasons of ours for the end of an exchange.
var (
	errGivenUp    = errors.New("closed before its end")
	errIdle       = errors.New("no byte of the body came in time")
	errTooLarge   = errors.New("body over its limit")
	errBrokenGzip = errors.New("broken gzip stream")
)

// failure turns an error of the network into a refusal.
func (x *exchange) failure(err error) *refusal {
	l := x.s.b.limits
	r := &refusal{decision: audit.Failed, detail: err.Error()}
	host := ""
	if x.decision.URL != nil {
		host = x.decision.URL.Host
	}
	set := func(code wire.Code, format string, args ...any) *refusal {
		r.code, r.message = code, fmt.Sprintf(format, args...)
		return r
	}
	var private *addressError
	var dns *net.DNSError
	var timeout net.Error
	cause := context.Cause(x.ctx)
	switch {
	case errors.Is(err, errGivenUp), errors.Is(cause, errGivenUp): // by the guest, or with its call
		r.decision, r.detail = audit.Allow, ""
		return set(wire.Code_CODE_NOT_FOUND, "%v", errGivenUp)
	case errors.Is(cause, errIdle):
		return set(wire.Code_CODE_TIMEOUT, "%s sent nothing for %s in the middle of a response", host, l.Idle)
	case errors.Is(cause, context.DeadlineExceeded):
		return set(wire.Code_CODE_TIMEOUT, "the call's time ended during the request to %s", host)
	case cause != nil:
		return set(wire.Code_CODE_CANCELED, "the call ended during the request to %s", host)
	case errors.As(err, &private):
		r.decision = audit.Deny
		return set(wire.Code_CODE_DENIED, "%s does not lead to a public address", host)
	case errors.Is(err, errTooLarge):
		r.decision, r.detail = audit.Deny, ""
		return set(wire.Code_CODE_LIMIT, "the response body is over %d bytes (maximum %d)", l.ResponseBody, l.ResponseBody)
	case errors.Is(err, errNoSpace):
		r.decision, r.detail = audit.Deny, ""
		return set(wire.Code_CODE_LIMIT, "open response bodies of this plugin take more than %d bytes: close some", l.Disk)
	case isHeaderLimit(err):
		r.decision = audit.Deny
		return set(wire.Code_CODE_LIMIT, "the response's head is over %d bytes (maximum %d)", l.ResponseHeader, l.ResponseHeader)
	case errors.Is(err, errBrokenGzip):
		return set(wire.Code_CODE_UNAVAILABLE, "%s sent a broken gzip stream", host)
	case errors.As(err, &dns) && !dns.IsTimeout:
		return set(wire.Code_CODE_UNAVAILABLE, "%s is not known", host)
	case errors.As(err, &timeout) && timeout.Timeout():
		return set(wire.Code_CODE_TIMEOUT, "%s did not answer in time", host)
	case isCertificate(err):
		return set(wire.Code_CODE_UNAVAILABLE, "%s has no certificate that this host trusts", host)
	case errors.Is(err, syscall.ECONNREFUSED):
		return set(wire.Code_CODE_UNAVAILABLE, "%s refuses connections", host)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return set(wire.Code_CODE_UNAVAILABLE, "%s ended the connection too early", host)
	}
	return set(wire.Code_CODE_UNAVAILABLE, "the request to %s failed", host)
}

// isHeaderLimit recognises net/http's errors for it, which have no type.
func isHeaderLimit(err error) bool {
	text := err.Error()
	return strings.Contains(text, "server response headers exceeded") || strings.Contains(text, "response header list larger than") ||
		strings.Contains(text, "exceeded limit on 1xx")
}

func isCertificate(err error) bool {
	var verification *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	return errors.As(err, &verification) || errors.As(err, &unknown) || errors.As(err, &name)
}

// scrub makes the text of an error fit for the audit log. Nothing that writes
// such texts is known to quote a secret; this is for the day that something does.
func (x *exchange) scrub(text string) string {
	if x.needles != nil && x.needles.inText(text) {
		return "[withheld: the text contains the credential]"
	}
	return text
}
