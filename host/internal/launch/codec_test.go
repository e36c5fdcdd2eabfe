package launch

import (
	"context"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/ringfence/ringfence/pluginkit/wire"
)

type offering struct {
	wire.UnimplementedSandboxServer
	many int
}

func (o offering) Negotiate(context.Context, *wire.Offer) (*wire.Offer, error) {
	return &wire.Offer{Transports: make([]string, o.many)}, nil
}

func TestAMessageOfManyFieldsIsNotDecoded(t *testing.T) {
	for many, says := range map[int]string{8: "", 1_500_000: "more than 4096 fields"} {
		listener, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
		if err != nil {
			t.Fatal(err)
		}
		server := grpc.NewServer()
		wire.RegisterSandboxServer(server, offering{many: many})
		go server.Serve(listener)
		sock, err := net.Dial("unix", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		conn, err := dial(sock)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		_, err = wire.NewSandboxClient(conn).Negotiate(ctx, &wire.Offer{})
		if (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("an offer of %d: got %v, want %q", many, err, says)
		}
		cancel()
		conn.Close()
		server.Stop()
	}
}
