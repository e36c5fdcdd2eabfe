package broker

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/ringfence/ringfence/host/internal/audit"
	"github.com/ringfence/ringfence/pluginkit/wire"
	"github.com/ringfence/ringfence/policies"
)

// FuzzHandle holds that no request of a sandbox makes the broker panic, that each
// gets a reply that fits the wire, and that none succeeds without a network.
func FuzzHandle(f *testing.F) {
	p, err := policies.Parse("test.hcl", []byte(`
variable "token" { sensitive = true }
secret "token" { value = var.token }
plugin "p" {
  source = "p.wasm"
  http {
    allow "*.example.com" { methods = ["GET", "POST"] }
    allow "api.example.com" {
      credential "token" { bearer = true }
    }
  }
}`), policies.Options{Vars: map[string]string{"token": canary}})
	if err != nil {
		f.Fatal(err)
	}
	plug, _ := p.Plugin("p")
	for _, req := range []*wire.CapabilityRequest{
		{Id: 1, Op: &wire.CapabilityRequest_Http{Http: &wire.HttpRequest{Method: "GET", Url: "https://a.example.com/x?y=z", Headers: []*wire.Header{{Name: "Accept", Value: "*/*"}}, Body: []byte("b")}}},
		{Id: 2, Op: &wire.CapabilityRequest_Http{Http: &wire.HttpRequest{Method: "GET", Url: "https://api.example.com:443/%2e%2e/", Headers: []*wire.Header{{Name: "authorization", Value: "x"}}}}},
		{Id: 3, Op: &wire.CapabilityRequest_BodyRead{BodyRead: &wire.BodyRead{Handle: 1 << 63, Offset: 1 << 63, Length: 1 << 31}}},
		{Id: 4, Op: &wire.CapabilityRequest_BodyClose{BodyClose: &wire.BodyClose{Handle: 1}}},
		{Id: 5, Op: &wire.CapabilityRequest_SecretExists{SecretExists: &wire.SecretExists{Name: "token"}}},
	} {
		b, err := proto.Marshal(req)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var req wire.CapabilityRequest
		if proto.Unmarshal(b, &req) != nil {
			return
		}
		broker := New(Config{Plugin: "p", HTTP: plug.HTTP(), Secrets: plug.Secrets(), Audit: &recorder{}, Resolver: broken{errors.New("no network")}})
		defer broker.Close()
		s := broker.Call(context.Background(), "c")
		defer s.Close()
		reply := s.Handle(context.Background(), &req)
		if reply.GetId() != req.GetId() || reply.GetCode() == wire.Code_CODE_INTERNAL || len(reply.GetMessage()) > maxMessage {
			t.Fatalf("%v: %v", &req, reply)
		}
		if _, err := proto.Marshal(reply); err != nil {
			t.Fatalf("the reply does not fit the wire: %v", err)
		}
		if req.GetHttp() != nil && reply.GetCode() == wire.Code_CODE_OK {
			t.Fatal("a request succeeded without a network")
		}
	})
}

// BenchmarkRequest compares a small request through the broker with the same
// request through net/http alone.
func BenchmarkRequest(b *testing.B) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") }))
	defer srv.Close()
	b.Run("net/http", func(b *testing.B) {
		transport := &http.Transport{}
		defer transport.CloseIdleConnections()
		for b.Loop() {
			req, _ := http.NewRequest("GET", srv.URL+"/", nil)
			resp, err := transport.RoundTrip(req)
			if err != nil {
				b.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
	})
	b.Run("broker", func(b *testing.B) {
		p, err := policies.Parse("test.hcl", []byte("plugin \"p\" {\n source = \"p.wasm\"\n http {\n"+allow(srv.URL, "")+"}\n}"), policies.Options{})
		if err != nil {
			b.Fatal(err)
		}
		plug, _ := p.Plugin("p")
		broker := New(Config{Plugin: "p", HTTP: plug.HTTP(), Audit: audit.Nop, Limits: Limits{Requests: 1 << 40}})
		defer broker.Close()
		s := broker.Call(context.Background(), "c")
		defer s.Close()
		for b.Loop() {
			r := s.Handle(context.Background(), &wire.CapabilityRequest{Op: &wire.CapabilityRequest_Http{Http: &wire.HttpRequest{Method: "GET", Url: srv.URL + "/"}}})
			if r.GetCode() != wire.Code_CODE_OK {
				b.Fatal(r)
			}
			s.Handle(context.Background(), &wire.CapabilityRequest{Op: &wire.CapabilityRequest_BodyClose{BodyClose: &wire.BodyClose{Handle: r.GetHandle()}}})
		}
	})
}
