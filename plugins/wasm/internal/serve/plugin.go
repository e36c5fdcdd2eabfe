package serve

import (
	"context"
	"errors"

	"github.com/hashicorp/go-plugin"
	"github.com/ringfence/ringfence/internal/seccomp"
	"github.com/ringfence/ringfence/pluginkit"
	"github.com/ringfence/ringfence/pluginkit/wire"
	"google.golang.org/grpc"
)

// Serve serves s as a go-plugin plugin until the host says goodbye.
func Serve(s *Server) {
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: pluginkit.Handshake,
		Plugins:         plugin.PluginSet{pluginkit.ServiceName: &grpcPlugin{server: s}},
		Logger:          s.config.Log,
		GRPCServer: func(options []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(options,
				grpc.MaxRecvMsgSize(pluginkit.MaxMessage),
				grpc.MaxSendMsgSize(pluginkit.MaxMessage))...)
		},
	})
}

type grpcPlugin struct {
	plugin.NetRPCUnsupportedPlugin
	server *Server
}

// GRPCServer implements plugin.GRPCPlugin. go-plugin calls it when the listener
// exists and before it prints the handshake line, without which no host
// connects: so a process that cannot be confined never hears from anybody.
func (p *grpcPlugin) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	if err := p.server.config.Confine(seccomp.One); err != nil {
		return err
	}
	wire.RegisterSandboxServer(s, p.server)
	return nil
}

// GRPCClient implements plugin.GRPCPlugin.
func (p *grpcPlugin) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, errors.New("this side only serves")
}
