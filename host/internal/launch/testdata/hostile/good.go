package main

import (
	"context"
	"fmt"
	"os"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/ringfence/ringfence/pluginkit"
)

func init() {
	ways["good"] = func([]string) { serve() }
	ways["log"] = func([]string) {
		logger := hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: os.Stderr, JSONFormat: true})
		logger.Warn("from the plugin", "answer", "42", "number", 42)
		serve()
	}
	ways["chatty"] = func([]string) {
		serveWith(map[string]func(string) string{"print": func(s string) string {
			for range 2000 {
				fmt.Println(s)
			}
			return "printed"
		}})
	}
}

// service answers /test.Echo/Call: "name argument" runs the function of that
// name, anything else comes back.
type service struct {
	plugin.NetRPCUnsupportedPlugin
	calls map[string]func(string) string
}

func (*service) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, nil
}

func (s *service) GRPCServer(_ *plugin.GRPCBroker, server *grpc.Server) error {
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "test.Echo", HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{MethodName: "Call", Handler: func(_ any, _ context.Context, dec func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			var in wrapperspb.StringValue
			if err := dec(&in); err != nil {
				return nil, err
			}
			for name, f := range s.calls {
				if len(in.Value) > len(name) && in.Value[:len(name)] == name {
					return wrapperspb.String(f(in.Value[len(name)+1:])), nil
				}
			}
			return &in, nil
		}}},
	}, s)
	return nil
}

func serve() { serveWith(nil) }

func serveWith(calls map[string]func(string) string) {
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: pluginkit.Handshake,
		Plugins:         plugin.PluginSet{pluginkit.ServiceName: &service{calls: calls}},
		GRPCServer:      plugin.DefaultGRPCServer,
		Logger:          hclog.NewNullLogger(),
	})
}
