package launch

import (
	"bytes"
	"context"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/ringfence/ringfence/pluginkit"
	"github.com/ringfence/ringfence/pluginkit/wire"
)

func field(num protowire.Number, content []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, num, protowire.BytesType), content)
}

func TestFieldsAreCountedAtEveryDepth(t *testing.T) {
	empty := []byte{3<<3 | byte(protowire.BytesType), 0}
	frame := func(headers []byte) []byte { return field(1, field(2, headers)) }
	real := &wire.SandboxFrame{Kind: &wire.SandboxFrame_Request{Request: &wire.CapabilityRequest{Id: 1,
		Op: &wire.CapabilityRequest_Http{Http: &wire.HttpRequest{Method: "GET", Url: "https://example.com/", Body: make([]byte, pluginkit.MaxRequestBody)}}}}}
	for range 128 {
		h := real.GetRequest().GetHttp()
		h.Headers = append(h.Headers, &wire.Header{Name: "Name", Value: "value"})
	}
	whole, err := proto.Marshal(real)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		message []byte
		fits    bool
	}{
		"the largest request":  {whole, true},
		"as many headers":      {frame(bytes.Repeat(empty, maxFields-2)), true},
		"one more":             {frame(bytes.Repeat(empty, maxFields-1)), false},
		"a bomb of headers":    {frame(bytes.Repeat(empty, 2_000_000)), false},
		"spread over requests": {bytes.Repeat(frame(bytes.Repeat(empty, 100)), 1000), false},
		"many kinds":           {bytes.Repeat([]byte{0x0a, 0, 0x12, 0}, 1_000_000), false},
		"unknown fields":       {bytes.Repeat([]byte{0x78, 0}, 2_000_000), false},
		"malformed":            {[]byte{0xff}, true},
	} {
		t.Run(name, func(t *testing.T) {
			left := countFields(tt.message, (&wire.SandboxFrame{}).ProtoReflect().Descriptor(), maxFields)
			if (left >= 0) != tt.fits {
				t.Errorf("%d fields left", left)
			}
		})
	}
}

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
