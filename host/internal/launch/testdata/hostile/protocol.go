package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

func init() {
	// Takes the connection and says nothing.
	raw("silent", func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	raw("garbage", func(c net.Conn) {
		for {
			if _, err := c.Write(bytes.Repeat([]byte("no HTTP/2 \x00\xff"), 100)); err != nil {
				time.Sleep(time.Hour)
			}
		}
	})
	raw("goaway", func(c net.Conn) {
		f := http2.NewFramer(c, c)
		_ = f.WriteSettings()
		for {
			if f.WriteGoAway(1, http2.ErrCodeEnhanceYourCalm, bytes.Repeat([]byte("too_many_pings"), 100)) != nil {
				time.Sleep(time.Hour)
			}
		}
	})
	raw("ping-flood", func(c net.Conn) {
		f := http2.NewFramer(c, c)
		_ = f.WriteSettings()
		for f.WritePing(false, [8]byte{}) == nil {
		}
	})
	raw("endless-headers", func(c net.Conn) {
		go io.Copy(io.Discard, c)
		f := http2.NewFramer(c, c)
		_ = f.WriteSettings()
		time.Sleep(50 * time.Millisecond) // the request is on its way
		block := bytes.Repeat([]byte{0x40, 1, 'a', 1, 'b'}, 2000)
		_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block})
		for f.WriteContinuation(1, false, block) == nil {
		}
		time.Sleep(time.Hour)
	})
	ways["huge-message"] = func([]string) {
		serveEcho(func(ctx context.Context) (any, error) {
			return wrapperspb.String(string(bytes.Repeat([]byte("m"), 100<<20))), nil
		})
	}
	ways["huge-trailer"] = func([]string) {
		serveEcho(func(ctx context.Context) (any, error) {
			md := metadata.MD{}
			for i := range 1000 {
				md.Set(fmt.Sprint("key-", i), string(bytes.Repeat([]byte("v"), 4<<10)))
			}
			_ = grpc.SetTrailer(ctx, md)
			return wrapperspb.String("ok"), nil
		})
	}
	ways["ill"] = func([]string) {
		s, h := grpc.NewServer(), health.NewServer()
		h.SetServingStatus("plugin", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
		grpc_health_v1.RegisterHealthServer(s, h)
		l := listen("s")
		fmt.Println("1|1|unix|./s|grpc|")
		must(s.Serve(l))
	}
	// Answers, and does not end when asked to.
	ways["stubborn"] = func([]string) {
		serveEcho(func(context.Context) (any, error) { return wrapperspb.String("ok"), nil })
	}
	// Answers the health check and then drops the connection.
	ways["hangs-up"] = func([]string) {
		l := listen("s")
		fmt.Println("1|1|unix|./s|grpc|")
		k := &keeping{Listener: l}
		go func() {
			time.Sleep(300 * time.Millisecond)
			k.last.Close()
		}()
		serveOn(k)
	}
	ways["stdio-flood"] = func([]string) {
		l := listen("s")
		fmt.Println("1|1|unix|./s|grpc|")
		s := newServer()
		s.RegisterService(&grpc.ServiceDesc{ServiceName: "plugin.GRPCStdio", HandlerType: (*any)(nil),
			Streams: []grpc.StreamDesc{{StreamName: "StreamStdio", ServerStreams: true, Handler: func(_ any, st grpc.ServerStream) error {
				_ = st.RecvMsg(&emptypb.Empty{})
				for {
					// Field 1, varint, is the channel; field 2 would be the data. A
					// BytesValue puts its bytes in field 1: nonsense that decodes.
					if err := st.SendMsg(wrapperspb.Bytes(bytes.Repeat([]byte("f"), 32<<10))); err != nil {
						return err
					}
				}
			}}}}, nil)
		register(s, nil)
		must(s.Serve(l))
	}
}

type keeping struct {
	net.Listener
	last net.Conn
}

func (k *keeping) Accept() (net.Conn, error) {
	c, err := k.Listener.Accept()
	k.last = c
	return c, err
}

func raw(way string, f func(net.Conn)) {
	ways[way] = func([]string) {
		l := listen("s")
		fmt.Println("1|1|unix|./s|grpc|")
		for {
			c, err := l.Accept()
			if err != nil {
				os.Exit(4)
			}
			go f(c)
		}
	}
}

func newServer() *grpc.Server {
	s, h := grpc.NewServer(grpc.MaxSendMsgSize(1<<30)), health.NewServer()
	h.SetServingStatus("plugin", grpc_health_v1.HealthCheckResponse_SERVING)
	grpc_health_v1.RegisterHealthServer(s, h)
	return s
}

func register(s *grpc.Server, answer func(context.Context) (any, error)) {
	s.RegisterService(&grpc.ServiceDesc{ServiceName: "test.Echo", HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{MethodName: "Call", Handler: func(_ any, ctx context.Context, dec func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			var in wrapperspb.StringValue
			if err := dec(&in); err != nil {
				return nil, err
			}
			if answer == nil {
				return &in, nil
			}
			return answer(ctx)
		}}}}, nil)
}

func serveOn(l net.Listener) {
	s := newServer()
	register(s, nil)
	must(s.Serve(l))
}

func serveEcho(answer func(context.Context) (any, error)) {
	l := listen("s")
	fmt.Println("1|1|unix|./s|grpc|")
	s := newServer()
	register(s, answer)
	must(s.Serve(l))
}
