package broker

import (
	"compress/flate"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/ringfence/ringfence/pluginkit/wire"
)

// newTransport makes a transport without anything ambient: no proxy from the
// environment, no client certificate, no session cache.
func newTransport(dial func(ctx context.Context, network, address string) (net.Conn, error), roots *x509.CertPool, l Limits) *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	return &http.Transport{
		Proxy:                  nil,
		DialContext:            dial,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		TLSHandshakeTimeout:    l.TLS,
		ResponseHeaderTimeout:  l.Head,
		MaxResponseHeaderBytes: l.ResponseHeader,
		IdleConnTimeout:        30 * time.Second,
		MaxIdleConns:           l.PluginConcurrent,
		MaxIdleConnsPerHost:    l.Concurrent,
		DisableCompression:     true,
		Protocols:              protocols,
		// What comes of a body that nobody pulls stays outside, but for this much.
		HTTP2: &http.HTTP2Config{MaxReceiveBufferPerStream: 256 << 10},
	}
}

// execute sends the request. RoundTrip follows no redirect and keeps no cookie: a 3xx
// is an answer like any other.
//
// The body is taken as the guest pulls it (stream.go). Where a credential was injected,
// all of it is taken now: it has to be searched before the guest gets any of it.
func (x *exchange) execute() *refusal {
	var transport http.RoundTripper = x.s.b.public
	if x.decision.LiteralAddr {
		transport = x.s.b.literal
	}
	if x.s.b.cfg.Transport != nil {
		transport = x.s.b.cfg.Transport
	}
	resp, err := transport.RoundTrip(x.out)
	if err != nil {
		return x.failure(err)
	}
	from, length, r := x.answered(resp)
	if r != nil {
		_ = resp.Body.Close()
		return r
	}
	x.reply = guestHeader(resp.Header)
	x.body = newBody(newSpool(x.s.b.quota, x.s.b.cfg.RunDir))
	if x.needles == nil {
		x.body.stream = newStream(x, from, resp.Body, length)
		return nil
	}
	defer resp.Body.Close()
	if err := x.fill(from, length); err != nil {
		return x.failure(err)
	}
	return nil
}

// answered looks at the head of a response, and gives its body without its compression
// and how long it will be, or -1.
func (x *exchange) answered(resp *http.Response) (io.Reader, int64, *refusal) {
	if resp.StatusCode < 200 {
		return nil, 0, failed(wire.Code_CODE_UNAVAILABLE, fmt.Sprintf("the server answered with status %d, which was not asked for", resp.StatusCode), "")
	}
	x.status = resp.StatusCode
	length := resp.ContentLength
	if x.out.Method == http.MethodHead {
		length = 0 // what a GET would have
	}
	if length > x.s.b.limits.ResponseBody {
		return nil, 0, limited("a response body of %d bytes (maximum %d)", length, x.s.b.limits.ResponseBody)
	}
	from, packed, r := x.decoded(resp)
	if packed && length > 0 {
		length = -1
	}
	return from, length, r
}

// fill copies the body into the spool, up to its limit. The announced length, if
// there is one, only keeps the buffer of a small body small.
func (x *exchange) fill(body io.Reader, announced int64) error {
	const most = 32 << 10
	size := announced + 1
	if announced < 0 || announced > most {
		size = most
	}
	n, err := io.CopyBuffer(x.body, io.LimitReader(body, x.s.b.limits.ResponseBody+1), make([]byte, size))
	if err == nil && n > x.s.b.limits.ResponseBody {
		return errTooLarge
	}
	return err
}

// slack is how much larger than its content a compressed body may be: the heads
// and the checksums.
const slack = 1 << 20

// decoded is the response's body without its compression, if it has one. Only gzip was
// asked for; another encoding would hide a secret from the search, so it is refused.
func (x *exchange) decoded(resp *http.Response) (from io.Reader, packed bool, r *refusal) {
	raw := &watched{r: resp.Body, left: x.s.b.limits.ResponseBody + slack, idle: x.s.b.limits.Idle, cancel: x.cancel}
	encoding := strings.ToLower(strings.TrimSpace(strings.Join(resp.Header.Values("Content-Encoding"), ",")))
	switch encoding {
	case "", "identity":
		return raw, false, nil
	case "gzip", "x-gzip":
		resp.Header.Del("Content-Encoding")
		resp.Header.Del("Content-Length")
		return &gunzip{raw: raw}, true, nil
	}
	// The server's word for it goes to the log only: it could be the secret.
	return nil, false, failed(wire.Code_CODE_UNAVAILABLE, "the response has a Content-Encoding that was not asked for", encoding)
}

// watched reads a body with an end to patience, while somebody waits for it, and to
// size. A bomb of empty gzip members has no size when it is unpacked, so the packed
// bytes are bounded too.
type watched struct {
	r      io.Reader
	left   int64
	idle   time.Duration
	cancel context.CancelCauseFunc
}

func (w *watched) Read(p []byte) (int, error) {
	if w.left <= 0 {
		return 0, errTooLarge
	}
	patience := time.AfterFunc(w.idle, func() { w.cancel(errIdle) })
	defer patience.Stop()
	n, err := w.r.Read(p[:min(int64(len(p)), w.left)])
	w.left -= int64(n)
	return n, err
}

// gunzip unpacks a body that may also be empty, as that of a HEAD or a 304.
type gunzip struct {
	raw io.Reader
	z   *gzip.Reader
}

func (g *gunzip) Read(p []byte) (int, error) {
	if g.z == nil {
		z, err := gzip.NewReader(g.raw)
		if err != nil {
			return 0, gzipError(err)
		}
		g.z = z
	}
	n, err := g.z.Read(p)
	return n, gzipError(err)
}

func gzipError(err error) error {
	var corrupt flate.CorruptInputError
	if errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) || errors.As(err, &corrupt) {
		return fmt.Errorf("%w: %w", errBrokenGzip, err)
	}
	return err
}
