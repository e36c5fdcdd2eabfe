package pingpong

import (
	"context"
	"errors"
	"io"
	"math"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// grpcPeer is go-plugin over gRPC: a unary call there and back, a client stream
// one way.
type grpcPeer struct {
	client *plugin.Client
	conn   *grpc.ClientConn
	stream grpc.ClientStream
	req    *wrapperspb.BytesValue
	resp   *wrapperspb.BytesValue
}

type grpcPlugin struct{ plugin.NetRPCUnsupportedPlugin }

func (grpcPlugin) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	s.RegisterService(&echoService, nil)
	return nil
}

func (grpcPlugin) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, c *grpc.ClientConn) (any, error) {
	return c, nil
}

// echoService is what protoc would write for a service with a unary Echo and a
// client-streaming Sink of google.protobuf.BytesValue.
var echoService = grpc.ServiceDesc{
	ServiceName: "bench.Echo",
	HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{{
		MethodName: "Echo",
		Handler: func(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			msg := new(wrapperspb.BytesValue)
			return msg, decode(msg)
		},
	}},
	Streams: []grpc.StreamDesc{{
		StreamName:    "Sink",
		ClientStreams: true,
		Handler: func(_ any, s grpc.ServerStream) error {
			msg := new(wrapperspb.BytesValue)
			for {
				if err := s.RecvMsg(msg); errors.Is(err, io.EOF) {
					return s.SendMsg(&emptypb.Empty{})
				} else if err != nil {
					return err
				}
			}
		},
	}},
}

var anySize = []grpc.CallOption{grpc.MaxCallRecvMsgSize(math.MaxInt32), grpc.MaxCallSendMsgSize(math.MaxInt32)}

func startGRPC(size int) (peer, error) {
	client, c, err := launch(peerRole("grpc", size), 2, grpcPlugins(), plugin.ProtocolGRPC)
	if err != nil {
		return nil, err
	}
	return &grpcPeer{
		client: client,
		conn:   c.(*grpc.ClientConn),
		req:    new(wrapperspb.BytesValue),
		resp:   new(wrapperspb.BytesValue),
	}, nil
}

func (g *grpcPeer) roundTrip(msg, _ []byte) error {
	g.req.Value = msg
	return g.conn.Invoke(context.Background(), "/bench.Echo/Echo", g.req, g.resp, anySize...)
}

func (g *grpcPeer) send(msg []byte) error {
	if g.stream == nil {
		s, err := g.conn.NewStream(context.Background(), &echoService.Streams[0], "/bench.Echo/Sink", anySize...)
		if err != nil {
			return err
		}
		g.stream = s
	}
	g.req.Value = msg
	return g.stream.SendMsg(g.req)
}

func (g *grpcPeer) sendLast(msg []byte) error {
	if err := g.send(msg); err != nil {
		return err
	}
	s := g.stream
	g.stream = nil
	if err := s.CloseSend(); err != nil {
		return err
	}
	return s.RecvMsg(new(emptypb.Empty))
}

func (g *grpcPeer) pid() int { return pluginPID(g.client) }

func (g *grpcPeer) close() error {
	g.client.Kill()
	return nil
}

func (g *grpcPeer) echoed([]byte) []byte { return g.resp.Value }
