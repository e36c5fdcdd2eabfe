package mcp_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"go.uber.org/goleak"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/host/mcp"
	"github.com/ringfence/ringfence/internal/built"
	"github.com/ringfence/ringfence/policies"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const token = "a-token-for-tests-only"

// deployment is a host with a server before it.
type deployment struct {
	t      testing.TB
	host   *host.Host
	server *mcp.Server
}

// patience is how long lists wait: much longer than in use, so that a test which
// depends on it does not end.
const patience = time.Hour

// deploy serves a policy in which STATE, TOOLS and DIR stand for folders.
func deploy(t testing.TB, text string, opts mcp.Options, hosted host.Options) *deployment {
	t.Helper()
	text = strings.NewReplacer("STATE", built.State(t), "TOOLS", filepath.Join(built.Bin(t), "tools")).Replace(text)
	policy, err := policies.Parse(filepath.Join(t.TempDir(), "test.hcl"), []byte(text), policies.Options{})
	if err != nil {
		t.Fatal(err)
	}
	hosted.Sandbox = filepath.Join(built.Bin(t), "ringfence-plugin-wasm")
	if hosted.StartTimeout == 0 {
		hosted.StartTimeout = patience // a busy machine is no fault of a plugin
	}
	h, err := host.Open(policy, hosted)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	s := mcp.NewPatient(h, policy, opts, patience)
	t.Cleanup(s.Close)
	return &deployment{t, h, s}
}

// pipe serves one client over pipes, as one that started the server.
func (d *deployment) pipe() (toServer io.WriteCloser, fromServer io.ReadCloser) {
	d.t.Helper()
	fromClient, toServer := io.Pipe()
	fromServer, toClient := io.Pipe()
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		ended <- d.server.Serve(ctx, fromClient, toClient)
		toClient.Close()
	}()
	d.t.Cleanup(func() {
		_, _ = toServer.Close(), fromServer.Close()
		cancel()
		if err := <-ended; err != nil {
			d.t.Errorf("the server ended with %v", err)
		}
	})
	return toServer, fromServer
}

// connect connects a client over pipes.
func (d *deployment) connect(opts *sdk.ClientOptions) *sdk.ClientSession {
	d.t.Helper()
	toServer, fromServer := d.pipe()
	client := sdk.NewClient(&sdk.Implementation{Name: "test", Version: "1"}, opts)
	session, err := client.Connect(d.t.Context(), &sdk.IOTransport{Reader: fromServer, Writer: toServer}, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = session.Close() })
	return session
}

// listen serves over HTTP and returns the server's URL.
func (d *deployment) listen() string {
	d.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		d.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.server.ServeHTTP(ctx, l, token) }()
	d.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			d.t.Errorf("the server ended with %v", err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	return "http://" + l.Addr().String() + mcp.Path
}

// bearing is a client that has the token.
type bearing struct{ base http.RoundTripper }

func (b bearing) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+token)
	return b.base.RoundTrip(r)
}

// dial connects a client over HTTP.
func (d *deployment) dial(url string, opts *sdk.ClientOptions) *sdk.ClientSession {
	d.t.Helper()
	base := &http.Transport{}
	d.t.Cleanup(base.CloseIdleConnections)
	client := sdk.NewClient(&sdk.Implementation{Name: "test", Version: "1"}, opts)
	session, err := client.Connect(d.t.Context(), &sdk.StreamableClientTransport{
		Endpoint: url, HTTPClient: &http.Client{Transport: bearing{base}}, MaxRetries: -1,
	}, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = session.Close() })
	return session
}

func call(t testing.TB, s *sdk.ClientSession, name, arguments string) *sdk.CallToolResult {
	t.Helper()
	r, err := s.CallTool(t.Context(), &sdk.CallToolParams{Name: name, Arguments: json.RawMessage(arguments)})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return r
}

// text is the tool's own first text.
func text(r *sdk.CallToolResult) string {
	for _, c := range r.Content {
		if t, ok := c.(*sdk.TextContent); ok && t.Meta["ringfence/mark"] == nil {
			return t.Text
		}
	}
	return ""
}

// eventually waits for what other goroutines and processes do.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("not within 30 seconds: %s", what)
}

// busy reports whether a sandbox of the plugin serves a call.
func (d *deployment) busy(plugin string) bool {
	for _, s := range d.host.Status() {
		if s.Plugin == plugin && s.Busy {
			return true
		}
	}
	return false
}

func wireCode(err error) int64 {
	var e *jsonrpc.Error
	if errorsAs(err, &e) {
		return e.Code
	}
	return 0
}
