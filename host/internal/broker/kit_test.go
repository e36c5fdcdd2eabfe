package broker

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ringfence/ringfence/host/internal/audit"
	"github.com/ringfence/ringfence/pluginkit"
	"github.com/ringfence/ringfence/pluginkit/wire"
	"github.com/ringfence/ringfence/policies"
)

func TestMain(m *testing.M) {
	before := openFiles()
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		for range 50 { // the kernel and net/http close in their own time
			if openFiles() <= before {
				os.Exit(code)
			}
			time.Sleep(20 * time.Millisecond)
		}
		fmt.Fprintf(os.Stderr, "file descriptors leaked: %d open, %d at the start\n", openFiles(), before)
		os.Exit(1)
	}))
}

func openFiles() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	n := 0
	for _, e := range entries {
		// The runtime keeps its poller, and the test binary its output.
		if target, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && !strings.HasPrefix(target, "anon_inode:") {
			n++
		}
	}
	return n
}

// canary is the secret of every test: nothing that leaves the broker, other than
// the request itself, may contain it.
const canary = "ghp_Canary+7/Secret=Zq%41x9"

// recorder is an audit log that remembers, and that can be made to fail.
type recorder struct {
	mu      sync.Mutex
	entries []audit.Entry
	fail    error
}

func (r *recorder) Record(e audit.Entry) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.entries = append(r.entries, e)
	return r.fail
}

// summary is "kind decision" of each record.
func (r *recorder) summary() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	for _, e := range r.entries {
		out = append(out, e.Kind+" "+string(e.Decision))
	}
	return strings.Join(out, ", ")
}

// kit is a broker with one session, in front of servers of the test.
type kit struct {
	t   *testing.T
	b   *Broker
	s   *Session
	log *recorder
}

const credentialBlock = `credential "token" { bearer = true }`

// allow is a rule for everything at a server of the test.
func allow(url, inside string) string {
	return fmt.Sprintf("allow %q {\n methods = [\"GET\", \"POST\", \"HEAD\"]\n %s\n}\n", url, inside)
}

func plugin(t *testing.T, httpBlock string) *policies.Plugin {
	t.Helper()
	p, err := policies.Parse("test.hcl", []byte(`
variable "token" { sensitive = true }
secret "token" { value = var.token }
plugin "p" {
  source = "p.wasm"
  http {
`+httpBlock+`
  }
}`), policies.Options{Vars: map[string]string{"token": canary}})
	if err != nil {
		t.Fatal(err)
	}
	plug, _ := p.Plugin("p")
	return plug
}

// newKit makes a broker under a policy whose http block is given.
func newKit(t *testing.T, httpBlock string, change ...func(*Config)) *kit {
	t.Helper()
	plug := plugin(t, httpBlock)
	log := &recorder{}
	cfg := Config{Plugin: "p", HTTP: plug.HTTP(), Secrets: plug.Secrets(), Audit: log, RunDir: t.TempDir()}
	for _, f := range change {
		f(&cfg)
	}
	k := &kit{t: t, b: New(cfg), log: log}
	k.s = k.b.Call(context.Background(), "call-1")
	t.Cleanup(func() {
		k.s.Close()
		k.b.Close()
		k.wantNoLeftovers()
	})
	return k
}

// wantNoLeftovers checks that the quota is whole again: every body was freed.
func (k *kit) wantNoLeftovers() {
	k.t.Helper()
	if q := k.b.quota; q.memory != k.b.limits.Memory || q.disk != k.b.limits.Disk {
		k.t.Errorf("bodies are left: %d of %d bytes of memory and %d of %d on disk are free", q.memory, k.b.limits.Memory, q.disk, k.b.limits.Disk)
	}
	if len(k.b.slots) != 0 || k.s.active.Load() != 0 || k.s.reserved != 0 {
		k.t.Errorf("left: %d slots, %d active, %d reserved", len(k.b.slots), k.s.active.Load(), k.s.reserved)
	}
}

func (k *kit) send(ctx context.Context, method, url string, headers ...string) *wire.CapabilityReply {
	k.t.Helper()
	req := &wire.HttpRequest{Method: method, Url: url}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Headers = append(req.Headers, &wire.Header{Name: name, Value: value})
	}
	reply := k.s.Handle(ctx, &wire.CapabilityRequest{Id: 7, Op: &wire.CapabilityRequest_Http{Http: req}})
	if reply.GetId() != 7 {
		k.t.Errorf("the reply has id %d", reply.GetId())
	}
	return reply
}

func (k *kit) get(url string, headers ...string) *wire.CapabilityReply {
	k.t.Helper()
	return k.send(context.Background(), "GET", url, headers...)
}

func (k *kit) read(handle, offset uint64, length uint32) *wire.CapabilityReply {
	return k.s.Handle(context.Background(), &wire.CapabilityRequest{Op: &wire.CapabilityRequest_BodyRead{BodyRead: &wire.BodyRead{Handle: handle, Offset: offset, Length: length}}})
}

func (k *kit) readFor(ctx context.Context, handle, offset uint64, length uint32) *wire.CapabilityReply {
	return k.s.Handle(ctx, &wire.CapabilityRequest{Op: &wire.CapabilityRequest_BodyRead{BodyRead: &wire.BodyRead{Handle: handle, Offset: offset, Length: length}}})
}

// whole pulls a body to its end, and returns the reply that ended it.
func (k *kit) whole(r *wire.CapabilityReply) *wire.CapabilityReply {
	k.t.Helper()
	want(k.t, r, wire.Code_CODE_OK, "")
	for offset := uint64(0); ; {
		piece := k.read(r.GetHandle(), offset, pluginkit.MaxPiece)
		if piece.GetCode() != wire.Code_CODE_OK || len(piece.GetData()) == 0 {
			return piece
		}
		offset += uint64(len(piece.GetData()))
	}
}

func (k *kit) exists(name string) *wire.CapabilityReply {
	return k.s.Handle(context.Background(), &wire.CapabilityRequest{Op: &wire.CapabilityRequest_SecretExists{SecretExists: &wire.SecretExists{Name: name}}})
}

func (k *kit) close(handle uint64) *wire.CapabilityReply {
	return k.s.Handle(context.Background(), &wire.CapabilityRequest{Op: &wire.CapabilityRequest_BodyClose{BodyClose: &wire.BodyClose{Handle: handle}}})
}

// want checks a reply's code and that its message says something.
func want(t *testing.T, r *wire.CapabilityReply, code wire.Code, says string) {
	t.Helper()
	if r.GetCode() != code || !strings.Contains(r.GetMessage(), says) {
		t.Fatalf("got %v %q, want %v with %q", r.GetCode(), r.GetMessage(), code, says)
	}
}

func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

func fileSecretPlugin(t *testing.T, url, path string) *policies.HTTPGrant {
	t.Helper()
	p, err := policies.Parse("test.hcl", fmt.Appendf(nil, `
secret "token" { file = %q }
plugin "p" {
  source = "p.wasm"
  http {
%s
  }
}`, path, allow(url, credentialBlock)), policies.Options{})
	if err != nil {
		t.Fatal(err)
	}
	plug, _ := p.Plugin("p")
	return plug.HTTP()
}
