package grpccall

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/ringfence/ringfence/host/internal/transport"
	"github.com/ringfence/ringfence/pluginkit/wire"
)

// HTTP/2 lets a server say how many streams it takes. One that takes no more of
// them makes gRPC wait before there is a stream whose end could be seen.
func TestASandboxThatTakesNoMoreStreamsFailsAtTheDeadline(t *testing.T) {
	listener, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(grpc.MaxConcurrentStreams(1))
	taken := make(chan struct{})
	wire.RegisterSandboxServer(server, &sandbox{call: func(s stream) error {
		close(taken)
		<-s.Context().Done()
		return s.Context().Err()
	}})
	go server.Serve(listener)
	conn, err := grpc.NewClient("unix:"+listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		server.Stop()
	})
	if _, err := wire.NewSandboxClient(conn).Call(t.Context()); err != nil { // the one stream
		t.Fatal(err)
	}
	<-taken

	tr := New(conn, 0)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := tr.Call(ctx, transport.Call{Arguments: []byte("{}")}, &caps{})
		ended <- err
	}()
	select {
	case err := <-ended:
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the deadline", err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("the call outlives its deadline")
	}
	if tr.Idle(t.Context()) {
		t.Error("a sandbox that takes no streams is called idle")
	}
}
