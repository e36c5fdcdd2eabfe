package mcp

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/internal/built"
	"github.com/ringfence/ringfence/policies"
)

// A client that asks and does not read holds a goroutine, but not for ever.
func TestAClientThatDoesNotReadItsAnswer(t *testing.T) {
	s := &Server{times: times{body: time.Minute, write: 50 * time.Millisecond}}
	ended := make(chan error, 1)
	server := httptest.NewServer(s.bounded(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		var err error
		for piece := make([]byte, 64<<10); err == nil; {
			if _, err = w.Write(piece); err == nil {
				err = http.NewResponseController(w).Flush()
			}
		}
		ended <- err
	})))
	defer server.Close()
	c, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
	<-ended // the test would time out if the server waited for the client
}

// alone is a server without plugins.
func alone(t *testing.T) *Server {
	t.Helper()
	policy, err := policies.Parse("test.hcl", fmt.Appendf(nil, "ringfence {\n state_dir = %q\n}\n", built.State(t)), policies.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h, err := host.Open(policy, host.Options{Sandbox: filepath.Join(built.Bin(t), "ringfence-plugin-wasm")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	s := New(h, policy, Options{})
	t.Cleanup(s.Close)
	return s
}

// One that started the server and does not read cannot keep it from ending.
func TestTheServerEndsBeforeAClientThatDoesNotRead(t *testing.T) {
	s := alone(t)
	fromClient, toServer := io.Pipe()
	fromServer, toClient := io.Pipe()
	defer fromServer.Close() // and with it the writer that waits
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, fromClient, toClient) }()
	for id := range 3 {
		fmt.Fprintf(toServer, `{"jsonrpc":"2.0","id":%d,"method":"ping"}`+"\n", id)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("the server ended with %v", err)
	}
	_ = toServer.Close()
}
