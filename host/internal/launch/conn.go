package launch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/hashicorp/go-plugin"

	"github.com/ringfence/ringfence/host/internal/decode"
	"github.com/ringfence/ringfence/pluginkit"
)

// Bounds on what a process can make gRPC hold for it.
const (
	maxHeaders   = 16 << 10 // bytes of one header list, trailers included
	streamWindow = 1 << 20  // bytes in flight on one stream
	connWindow   = 4 << 20  // bytes in flight in all
	maxStdio     = 64 << 10 // bytes of one stdio message; go-plugin sends 1 KiB
)

// dial makes the one gRPC connection of a process out of a checked socket.
//
// There is no second one: a lost connection is the end of the process, so no
// reconnect can lead elsewhere than the first check did. Keepalive pings are
// off: the pidfd tells of death sooner, each call has a deadline of its own, and
// go-plugin's servers hang up on clients that ping more than every five minutes.
func dial(sock net.Conn) (*grpc.ClientConn, error) {
	var once sync.Once
	return grpc.NewClient("passthrough:///sandbox",
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) {
			var first net.Conn
			once.Do(func() { first = newMetered(sock) })
			if first == nil {
				return nil, errors.New("a sandbox is connected to once")
			}
			return first, nil
		}),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithNoProxy(),
		grpc.WithDisableRetry(),
		grpc.WithDisableServiceConfig(),
		grpc.WithIdleTimeout(0),
		grpc.WithMaxHeaderListSize(maxHeaders),
		grpc.WithStaticStreamWindowSize(streamWindow),
		grpc.WithStaticConnWindowSize(connWindow),
		grpc.WithDefaultCallOptions(
			grpc.ForceCodecV2(decode.NewCodec(nil)),
			grpc.MaxCallRecvMsgSize(pluginkit.MaxMessage),
			grpc.MaxCallSendMsgSize(pluginkit.MaxMessage)),
	)
}

// greet waits for the connection and asks for the health that every go-plugin
// server reports.
func greet(ctx context.Context, conn *grpc.ClientConn) error {
	conn.Connect()
	for s := conn.GetState(); s != connectivity.Ready; s = conn.GetState() {
		if s == connectivity.TransientFailure || s == connectivity.Shutdown {
			return &HandshakeError{Reason: "the socket does not speak HTTP/2"}
		}
		if !conn.WaitForStateChange(ctx, s) {
			return context.Cause(ctx)
		}
	}
	answer, err := grpc_health_v1.NewHealthClient(conn).Check(ctx,
		&grpc_health_v1.HealthCheckRequest{Service: plugin.GRPCServiceName})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return &HandshakeError{Reason: fmt.Sprintf("health check: %v: %s",
			status.Code(err), clip(quote(status.Convert(err).Message()), 200))}
	}
	if s := answer.GetStatus(); s != grpc_health_v1.HealthCheckResponse_SERVING {
		return &HandshakeError{Reason: fmt.Sprintf("health check: status %d, want %d (serving)",
			s, grpc_health_v1.HealthCheckResponse_SERVING)}
	}
	return nil
}

// shutdown asks the process to end, as go-plugin does.
func shutdown(ctx context.Context, conn *grpc.ClientConn) {
	_ = conn.Invoke(ctx, "/plugin.GRPCController/Shutdown", &emptypb.Empty{}, &emptypb.Empty{})
}

// readStdio takes what a go-plugin server prints once it serves. It must be
// taken: the server's pipe is small, and a print that fills it never returns.
// The stream ends with the connection.
//
// plugin.StdioData is read by its field numbers, out of what an empty message
// does not know: its generated type is internal to go-plugin.
func readStdio(ctx context.Context, conn *grpc.ClientConn, wait func(int), to map[uint64]taker) {
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true},
		"/plugin.GRPCStdio/StreamStdio", grpc.MaxCallRecvMsgSize(maxStdio))
	if err != nil {
		return
	}
	if stream.SendMsg(&emptypb.Empty{}) != nil || stream.CloseSend() != nil {
		return
	}
	for {
		var m emptypb.Empty
		if stream.RecvMsg(&m) != nil {
			return
		}
		raw := m.ProtoReflect().GetUnknown()
		channel, data := parseStdio(raw)
		cost := len(raw)
		if t := to[channel]; t != nil {
			cost += t.write(data)
		}
		wait(cost)
	}
}

func parseStdio(b []byte) (channel uint64, data []byte) {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return 0, nil
		}
		b = b[n:]
		switch {
		case num == 1 && typ == protowire.VarintType:
			channel, n = protowire.ConsumeVarint(b)
		case num == 2 && typ == protowire.BytesType:
			data, n = protowire.ConsumeBytes(b)
		default:
			n = protowire.ConsumeFieldValue(num, typ, b)
		}
		if n < 0 {
			return 0, nil
		}
		b = b[n:]
	}
	return channel, data
}
