package broker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/host/internal/audit"
	"github.com/ringfence/ringfence/pluginkit"
	"github.com/ringfence/ringfence/pluginkit/wire"
)

func TestAllowedRequestCarriesTheCredentialAndTheAnswerComesBack(t *testing.T) {
	var got *http.Request
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		w.Header().Set("X-Answer", "42")
		w.Header().Set("Connection", "X-Hop")
		w.Header().Set("X-Hop", "1")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, "hello world")
	})
	k := newKit(t, allow(srv.URL, credentialBlock))
	r := k.get(srv.URL+"/a?q=1", "Accept: text/plain", "X-Multi: 1", "X-Multi: 2")
	want(t, r, wire.Code_CODE_OK, "")
	if got.Header.Get("Authorization") != "Bearer "+canary || got.Header.Get("Accept") != "text/plain" || len(got.Header["X-Multi"]) != 2 {
		t.Errorf("the server got %v", got.Header)
	}
	if got.Host != strings.TrimPrefix(srv.URL, "http://") || got.URL.String() != "/a?q=1" {
		t.Errorf("the server got %s for %s", got.URL, got.Host)
	}
	if r.GetStatus() != 201 || r.GetBodyBytes() != 11 || r.GetHandle() == 0 {
		t.Errorf("status %d, %d bytes, handle %d", r.GetStatus(), r.GetBodyBytes(), r.GetHandle())
	}
	headers := fmt.Sprint(r.GetHeaders())
	if !strings.Contains(headers, "X-Answer") || strings.Contains(headers, "X-Hop") || strings.Contains(headers, "Connection") {
		t.Errorf("headers %s", headers)
	}
	if piece := k.read(r.GetHandle(), 6, 100); string(piece.GetData()) != "world" {
		t.Errorf("read %q", piece.GetData())
	}
	if s := k.log.summary(); s != "http allow, http_response allow" {
		t.Errorf("records: %s", s)
	}
	if e := k.log.entries[1]; e.Plugin != "p" || e.Call != "call-1" || e.Details.Status != 201 || e.Details.Received != 11 || e.Details.Duration <= 0 || e.Details.Secret != "token" || e.Rule == "" {
		t.Errorf("record: %+v", e)
	}
	if len(k.s.Denials()) != 0 {
		t.Errorf("denials: %v", k.s.Denials())
	}
}

func TestNothingIsSentThatThePolicyDoesNotAllow(t *testing.T) {
	hits := 0
	srv := serve(t, func(http.ResponseWriter, *http.Request) { hits++ })
	for _, c := range []struct{ name, block, method, url string }{
		{"no grant at all", "", "GET", srv.URL + "/"},
		{"another path", allow(srv.URL, `paths = ["/a/**"]`), "GET", srv.URL + "/b?q=private"},
		{"dot segments", allow(srv.URL, `paths = ["/a/*"]`), "GET", srv.URL + "/a/../b"},
		{"another method", allow(srv.URL, ""), "DELETE", srv.URL + "/"},
		{"a URL that nobody can read", allow(srv.URL, ""), "GET", "http://\x00 ?q=private"},
		{"TRACE, which echoes the credential", allow(srv.URL, credentialBlock), "TRACE", srv.URL + "/"},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := newKit(t, c.block)
			r := k.send(context.Background(), c.method, c.url)
			want(t, r, wire.Code_CODE_DENIED, "")
			if hits > 0 || r.GetMessage() == "" {
				t.Errorf("%d requests reached the server; message %q", hits, r.GetMessage())
			}
			if s := k.log.summary(); s != "http deny" {
				t.Errorf("records: %s", s)
			}
			if strings.Contains(k.log.entries[0].Reason, "private") {
				t.Errorf("the log quotes the query: %s", k.log.entries[0].Reason)
			}
			if d := k.s.Denials(); len(d) != 1 || d[0].Kind != "http" || strings.Contains(d[0].URL, "private") {
				t.Errorf("denials: %+v", d)
			}
		})
	}
}

func TestHeadersOfTheGuest(t *testing.T) {
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {})
	for _, c := range []struct {
		attack, header string
		credential     bool
		code           wire.Code
	}{
		{"virtual host", "Host: internal", false, wire.Code_CODE_DENIED},
		{"smuggling by length", "Content-Length: 3", false, wire.Code_CODE_DENIED},
		{"smuggling by coding", "transfer-encoding: chunked", false, wire.Code_CODE_DENIED},
		{"smuggling through CGI names", "Transfer_Encoding: chunked", false, wire.Code_CODE_DENIED},
		{"hop-by-hop stripping", "Connection: Authorization", false, wire.Code_CODE_DENIED},
		{"tunnel", "Upgrade: websocket", false, wire.Code_CODE_DENIED},
		{"proxy login", "Proxy-Authorization: x", false, wire.Code_CODE_DENIED},
		{"own decompression", "Accept-Encoding: br", false, wire.Code_CODE_DENIED},
		{"method override", "X-HTTP-Method-Override: DELETE", false, wire.Code_CODE_DENIED},
		{"path override", "X-Original-URL: /admin", false, wire.Code_CODE_DENIED},
		{"host override", "X-Forwarded-Host: internal", false, wire.Code_CODE_DENIED},
		{"pseudo header", ":authority: internal", false, wire.Code_CODE_INVALID},
		{"header splitting", "X-A: 1\r\nHost: internal", false, wire.Code_CODE_INVALID},
		{"NUL", "X-A: 1\x00", false, wire.Code_CODE_INVALID},
		{"name with a space", "X A: 1", false, wire.Code_CODE_INVALID},
		{"login of its own", "Authorization: Bearer mine", false, wire.Code_CODE_OK},
		{"cookie of its own", "Cookie: a=b", false, wire.Code_CODE_OK},
		{"credential beside ours", "Authorization: Bearer mine", true, wire.Code_CODE_DENIED},
		{"credential beside ours, lower case", "authorization: Bearer mine", true, wire.Code_CODE_DENIED},
		{"session beside our credential", "Cookie: session=mine", true, wire.Code_CODE_DENIED},
		{"echo in fragments", "Range: bytes=0-3", true, wire.Code_CODE_DENIED},
		{"plain header beside a credential", "Accept: */*", true, wire.Code_CODE_OK},
	} {
		t.Run(c.attack, func(t *testing.T) {
			inside := ""
			if c.credential {
				inside = credentialBlock
			}
			k := newKit(t, allow(srv.URL, inside))
			want(t, k.get(srv.URL+"/", c.header), c.code, "")
		})
	}
}

func TestRequestsAreBounded(t *testing.T) {
	k := newKit(t, allow("https://h.example", ""))
	long := strings.Repeat("x", pluginkit.MaxRequestHead)
	want(t, k.get("https://h.example/", "X-A: "+long), wire.Code_CODE_LIMIT, "(maximum 65536)")
	want(t, k.get("https://h.example/"+long), wire.Code_CODE_LIMIT, "(maximum 65536)")
	var many []string
	for range maxHeaders + 1 {
		many = append(many, "X-A: 1")
	}
	want(t, k.get("https://h.example/", many...), wire.Code_CODE_LIMIT, "129 request headers (maximum 128)")
	body := &wire.HttpRequest{Method: "POST", Url: "https://h.example/", Body: make([]byte, pluginkit.MaxRequestBody+1)}
	r := k.s.Handle(context.Background(), &wire.CapabilityRequest{Op: &wire.CapabilityRequest_Http{Http: body}})
	want(t, r, wire.Code_CODE_LIMIT, "2097153 bytes (maximum 2097152)")
}

func TestRedirectToAnotherHostIsNotFollowed(t *testing.T) {
	hits := 0
	other := serve(t, func(http.ResponseWriter, *http.Request) { hits++ })
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+"/steal", http.StatusFound)
	})
	k := newKit(t, allow(srv.URL, credentialBlock)+allow(other.URL, ""))
	r := k.get(srv.URL + "/")
	want(t, r, wire.Code_CODE_OK, "")
	if r.GetStatus() != http.StatusFound || hits > 0 || !strings.Contains(fmt.Sprint(r.GetHeaders()), other.URL+"/steal") {
		t.Errorf("status %d, %d requests at the other host, headers %v", r.GetStatus(), hits, r.GetHeaders())
	}
}

func TestNothingAmbientTakesPart(t *testing.T) {
	var cookies []string
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		cookies = append(cookies, r.Header.Get("Cookie"))
		http.SetCookie(w, &http.Cookie{Name: "session", Value: "1"})
	})
	k := newKit(t, allow(srv.URL, ""))
	if k.b.public.Proxy != nil || k.b.literal.Proxy != nil {
		t.Error("a proxy of the environment would see requests")
	}
	for range 2 {
		r := k.get(srv.URL + "/")
		want(t, r, wire.Code_CODE_OK, "")
		if !strings.Contains(fmt.Sprint(r.GetHeaders()), "session=1") {
			t.Errorf("the guest does not see Set-Cookie: %v", r.GetHeaders())
		}
	}
	if fmt.Sprint(cookies) != "[ ]" {
		t.Errorf("the server got cookies %q", cookies)
	}
}

func TestRateOfThePolicy(t *testing.T) {
	srv := serve(t, func(http.ResponseWriter, *http.Request) {})
	now := time.Unix(1e9, 0)
	k := newKit(t, allow(srv.URL, "")+"rate = \"3/m\"", func(c *Config) { c.Now = func() time.Time { return now } })
	for range 3 {
		want(t, k.get(srv.URL+"/"), wire.Code_CODE_OK, "")
	}
	want(t, k.get(srv.URL+"/"), wire.Code_CODE_LIMIT, "rate of 3 requests in 1m0s is used up: try again in 20s")
	other := k.b.Call(context.Background(), "call-2")
	defer other.Close()
	first := k.s
	k.s = other
	want(t, k.get(srv.URL+"/"), wire.Code_CODE_LIMIT, "rate") // a new call has no new rate
	k.s = first
	now = now.Add(20 * time.Second)
	want(t, k.get(srv.URL+"/"), wire.Code_CODE_OK, "")
	want(t, k.get(srv.URL+"/"), wire.Code_CODE_LIMIT, "rate")
}

// Fail closed: what cannot be put on record does not happen.
func TestNothingHappensWithoutARecord(t *testing.T) {
	hits := 0
	srv := serve(t, func(http.ResponseWriter, *http.Request) { hits++ })
	k := newKit(t, allow(srv.URL, credentialBlock))
	k.log.fail = errors.New("disk full at /var/host/path")
	r := k.get(srv.URL + "/")
	want(t, r, wire.Code_CODE_INTERNAL, "audit log")
	if hits > 0 || strings.Contains(r.GetMessage(), "/var") {
		t.Errorf("%d requests were sent; message %q", hits, r.GetMessage())
	}
	if r := k.exists("token"); r.GetCode() != wire.Code_CODE_INTERNAL || r.GetExists() {
		t.Errorf("secret_exists: %v", r)
	}
}

// The log can also break while a request runs: the answer is then withheld.
func TestAnAnswerThatCannotBeRecordedIsWithheld(t *testing.T) {
	k := (*kit)(nil)
	srv := serve(t, func(http.ResponseWriter, *http.Request) {
		k.log.mu.Lock()
		defer k.log.mu.Unlock()
		k.log.fail = errors.New("disk full")
	})
	k = newKit(t, allow(srv.URL, ""))
	if r := k.get(srv.URL + "/"); r.GetCode() != wire.Code_CODE_INTERNAL || r.GetHandle() != 0 || r.GetStatus() != 0 {
		t.Errorf("got %v", r)
	}
}

func TestTLSNeedsATrustedCertificate(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) }))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	defer srv.Close()
	k := newKit(t, allow(srv.URL, credentialBlock))
	want(t, k.get(srv.URL+"/"), wire.Code_CODE_UNAVAILABLE, "no certificate that this host trusts")
	trusted := newKit(t, allow(srv.URL, credentialBlock), func(c *Config) {
		c.RootCAs = srv.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	})
	want(t, trusted.get(srv.URL+"/"), wire.Code_CODE_OK, "")
}

func TestHTTP2(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) }))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()
	k := newKit(t, allow(srv.URL, credentialBlock), func(c *Config) {
		c.RootCAs = srv.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	})
	r := k.get(srv.URL + "/")
	want(t, r, wire.Code_CODE_OK, "")
	if p := k.read(r.GetHandle(), 0, 100); string(p.GetData()) != "HTTP/2.0" {
		t.Errorf("spoke %q", p.GetData())
	}
}

func TestSecretExistsTellsOnlyOfGrantedNames(t *testing.T) {
	k := newKit(t, allow("https://h.example", credentialBlock))
	if r := k.exists("token"); r.GetCode() != wire.Code_CODE_OK || !r.GetExists() {
		t.Errorf("granted: %v", r)
	}
	if r := k.exists("other"); r.GetCode() != wire.Code_CODE_OK || r.GetExists() {
		t.Errorf("not granted: %v", r)
	}
	want(t, k.exists(strings.Repeat("x", 257)), wire.Code_CODE_INVALID, "257 bytes (maximum 256)")
	if s := k.log.summary(); s != "secret_exists allow, secret_exists deny" {
		t.Errorf("records: %s", s)
	}
	if d := k.s.Denials(); len(d) != 1 || d[0].Secret != "other" {
		t.Errorf("denials: %+v", d)
	}
}

// A guest that asks without end must neither flood the log, from which older
// records would fall, nor the host's memory.
func TestRequestsOfOneCallAreCounted(t *testing.T) {
	k := newKit(t, "", func(c *Config) { c.Limits.Requests = 100 })
	for range 100 {
		want(t, k.get("https://h.example/"), wire.Code_CODE_DENIED, "")
	}
	for range 50 {
		want(t, k.get("https://h.example/"), wire.Code_CODE_LIMIT, "more than 100 requests in one call")
	}
	if n := len(k.log.entries); n != 101 || k.log.entries[100].Kind != "limit" || len(k.s.Denials()) != maxDenials {
		t.Errorf("%d records, %d denials", n, len(k.s.Denials()))
	}
	flood := newKit(t, "")
	for range maxRefused + 50 {
		flood.exists("x")
	}
	want(t, flood.exists("x"), wire.Code_CODE_LIMIT, "refused requests")
	if n := len(flood.log.entries); n != maxRefused+1 {
		t.Errorf("%d records", n)
	}
}

func TestMalformedRequestsGetAReply(t *testing.T) {
	k := newKit(t, allow("https://h.example", ""))
	for _, req := range []*wire.CapabilityRequest{
		nil, {}, {Op: &wire.CapabilityRequest_Http{}}, {Op: &wire.CapabilityRequest_BodyRead{}}, {Op: &wire.CapabilityRequest_BodyClose{}},
		{Op: &wire.CapabilityRequest_Http{Http: &wire.HttpRequest{Headers: []*wire.Header{nil}}}},
	} {
		if r := k.s.Handle(context.Background(), req); r.GetCode() == wire.Code_CODE_OK || r.GetCode() == wire.Code_CODE_INTERNAL {
			t.Errorf("%v: got %v", req, r)
		}
	}
	if r := k.exists(""); r.GetExists() {
		t.Error("a secret without a name exists")
	}
}

// A fault of the broker itself ends one request and not the host, and does not
// print what it was working on.
func TestPanicBecomesAReply(t *testing.T) {
	k := newKit(t, allow("https://h.example", ""), func(c *Config) { c.Now = func() time.Time { panic(canary) } })
	k.b.cfg.Audit = panicking{k.log}
	r := k.get("https://h.example/")
	want(t, r, wire.Code_CODE_INTERNAL, "the host failed")
	if e := k.log.entries[0]; e.Decision != audit.Failed || e.Reason != "panic: string" {
		t.Errorf("record: %+v", e)
	}
}

type panicking struct{ *recorder }

func (p panicking) Record(e audit.Entry) error {
	if e.Kind == "http" {
		panic(canary)
	}
	return p.recorder.Record(e)
}
