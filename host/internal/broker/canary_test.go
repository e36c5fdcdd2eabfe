package broker

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/ringfence/ringfence/host/internal/audit"
	"github.com/ringfence/ringfence/pluginkit/wire"
)

// echoEverywhere is a server that repeats the credential in the part of its answer
// that the path names.
func echoEverywhere(w http.ResponseWriter, r *http.Request) {
	sent := r.Header.Get("Authorization") + r.Header.Get("X-Key") + r.URL.Query().Get("key")
	switch r.URL.Path {
	case "/body":
		_, _ = io.WriteString(w, sent)
	case "/redirect":
		http.Redirect(w, r, r.URL.String()+"&"+url.QueryEscape(sent), http.StatusFound)
	case "/encoding":
		w.Header().Set("Content-Encoding", sent)
	case "/status":
		c, _, _ := w.(http.Hijacker).Hijack()
		_, _ = io.WriteString(c, "HTTP/1.1 "+sent+"\r\n\r\n")
		_ = c.Close()
	case "/header":
		c, _, _ := w.(http.Hijacker).Hijack()
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n"+sent+"\r\n\r\n")
		_ = c.Close()
	case "/length":
		c, _, _ := w.(http.Hijacker).Hijack()
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: "+sent+"\r\nTransfer-Encoding: "+sent+"\r\n\r\n")
		_ = c.Close()
	}
}

// TestTheSecretIsInNoOutput runs every way for a request to end, with the secret
// in each place that a credential can go to, and searches all that comes out.
func TestTheSecretIsInNoOutput(t *testing.T) {
	srv := serve(t, echoEverywhere)
	for _, credential := range []string{
		credentialBlock, `credential "token" { header = "X-Key" }`, `credential "token" { query = "key" }`, `credential "token" { basic = "me" }`,
	} {
		log := &recorder{}
		path := filepath.Join(t.TempDir(), "audit.jsonl")
		file, err := audit.Open(path, "h")
		if err != nil {
			t.Fatal(err)
		}
		k := newKit(t, allow(srv.URL, credential)+allow("http://nowhere.example", credential), func(c *Config) {
			c.Audit = both{log, file}
			c.Resolver = broken{errors.New("lookup with " + canary)}
		})
		var out strings.Builder
		for _, p := range []string{"/body", "/redirect", "/encoding", "/status", "/header", "/length", "/ok"} {
			collect(&out, k, k.get(srv.URL+p))
		}
		collect(&out, k, k.get("http://nowhere.example/"))
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		collect(&out, k, k.send(ctx, "GET", srv.URL+"/body"))
		fmt.Fprintf(&out, "%+v %#v %v", k.s.Denials(), k.b, k.s)
		fmt.Fprintf(&out, "%+v", log.entries)
		_ = file.Close()
		records, err := os.ReadFile(path)
		if err != nil || len(records) == 0 {
			t.Fatal("no records", err)
		}
		out.Write(records)
		for form, needle := range map[string]string{
			"plain": canary, "escaped": url.QueryEscape(canary), "hex": hex.EncodeToString([]byte(canary)),
			"base64": base64.StdEncoding.EncodeToString([]byte(canary)), "basic": base64.StdEncoding.EncodeToString([]byte("me:" + canary)), "start": canary[:14],
		} {
			if i := strings.Index(out.String(), needle); i >= 0 {
				t.Errorf("%s: the secret is in the output (%s): …%s", credential, form, out.String()[max(0, i-300):i+len(needle)])
			}
		}
	}
}

type both struct{ one, two audit.Recorder }

func (b both) Record(e audit.Entry) error { return errors.Join(b.one.Record(e), b.two.Record(e)) }

// collect writes down all that a guest gets of a reply.
func collect(out *strings.Builder, k *kit, r *wire.CapabilityReply) {
	out.WriteString(protojson.Format(r))
	if h := r.GetHandle(); h != 0 {
		_, _ = out.Write(k.read(h, 0, 1<<20).GetData())
	}
}

// The file of a secret that cannot be read is named in the log, not to the guest.
func TestUnavailableSecretSendsNothing(t *testing.T) {
	hits := 0
	srv := serve(t, func(http.ResponseWriter, *http.Request) { hits++ })
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte("a token with\nanother line"), 0o600); err != nil {
		t.Fatal(err)
	}
	k := newKit(t, "")
	k.b.cfg.HTTP = fileSecretPlugin(t, srv.URL, path)
	want(t, k.get(srv.URL+"/"), wire.Code_CODE_UNAVAILABLE, `the credential "token" is not available`)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	r := k.get(srv.URL + "/")
	want(t, r, wire.Code_CODE_UNAVAILABLE, `the credential "token" is not available`)
	if hits > 0 || strings.Contains(r.GetMessage(), path) || !strings.Contains(k.log.entries[3].Reason, path) {
		t.Errorf("%d requests; guest %q; log %q", hits, r.GetMessage(), k.log.entries[3].Reason)
	}
}

func TestServersThatHangUpLeaveNothingBehind(t *testing.T) {
	url := rawServer(t, func(c net.Conn) {
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n"+strings.Repeat("x", 2<<20))
	})
	k := newKit(t, allow(url, credentialBlock))
	for range 20 {
		want(t, k.get(url+"/"), wire.Code_CODE_UNAVAILABLE, "too early")
	}
	k.wantNoLeftovers()
}

// A secret that is rotated between being read for the search and being read for
// the request would be echoed unseen.
func TestRotatedSecretIsNotEchoed(t *testing.T) {
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Header.Get("Authorization")) })
	path := filepath.Join(t.TempDir(), "token")
	rotate := func(i int) {
		if err := errors.Join(os.WriteFile(path+".new", fmt.Appendf(nil, "token-number-%d", i), 0o600), os.Rename(path+".new", path)); err != nil {
			t.Error(err)
		}
	}
	rotate(0)
	k := newKit(t, "")
	k.b.cfg.HTTP = fileSecretPlugin(t, srv.URL, path)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for i := 1; ; i++ {
			select {
			case <-stop:
				return
			default:
				rotate(i)
			}
		}
	}()
	for range 500 {
		if r := k.get(srv.URL + "/"); r.GetCode() != wire.Code_CODE_DENIED && r.GetCode() != wire.Code_CODE_UNAVAILABLE {
			t.Errorf("got %v %q", r.GetCode(), k.read(r.GetHandle(), 0, 100).GetData())
			break
		}
	}
	close(stop)
	<-stopped
	want(t, k.get(srv.URL+"/"), wire.Code_CODE_DENIED, "contains the credential")
}
