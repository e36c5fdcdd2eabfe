package pluginkit

import (
	"context"
	"errors"
	"os"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/ringfence/ringfence/pluginkit/wire"
)

// Serve offers the tools that guest.Tool and guest.ToolContext have registered,
// as a native plugin: a program of the machine's own, which a Ringfence host
// starts in its jail. It is all that main does:
//
//	func init() { guest.ToolContext("count", "Counts the words of a file.", count) }
//
//	func main() { pluginkit.Serve() }
//
// The tools, their types, schemas and capabilities are those of package guest.
// A tool that needs no file compiles to WebAssembly as well, where main never
// runs; docs/native-plugins.md says when to choose which.
//
// Calls come over a ring in shared memory, if the host has given the process one,
// else over gRPC; a tool does not notice, but for guest.Bytes: over the ring it is the
// host's own memory, and whoever writes to it ends the process.
//
// One call runs at a time. What the program prints goes to the host's log, under
// the plugin's name; guest.Log and guest.LogContext write to the call's. A panic
// in a tool fails the call, and ends the process after it. Whether package
// variables survive to the next call is the policy's choice (lifetime "call", a
// process for each, or "session").
//
// Before the first call the program gives up what it needed to start: from there
// on it makes no more sockets, and no memory becomes executable. Under
// seccomp = "native" it opens files of its workspaces (see Workspace); under
// "wasm" none.
//
// Serve does not return before the host says goodbye. Run by hand, it says that
// this is a plugin, and ends the program with exit code 1.
func Serve() {
	// go-plugin replaces os.Stderr later; this is the one that the host reads.
	logger := hclog.New(&hclog.LoggerOptions{Level: hclog.Info, Output: os.Stderr, JSONFormat: true})
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: Handshake,
		Plugins:         plugin.PluginSet{ServiceName: &grpcPlugin{server: newServer(logger, confine, inheritedRing())}},
		Logger:          logger,
		GRPCServer: func(options []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(options, grpc.MaxRecvMsgSize(MaxMessage), grpc.MaxSendMsgSize(MaxMessage))...)
		},
	})
}

type grpcPlugin struct {
	plugin.NetRPCUnsupportedPlugin
	server *server
}

// GRPCServer is called by go-plugin when the listener exists and before it prints
// the handshake line.
func (p *grpcPlugin) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	if err := opaque(); err != nil {
		return err
	}
	wire.RegisterSandboxServer(s, p.server)
	return nil
}

var errOneSided = errors.New("this side only serves")

// GRPCClient implements plugin.GRPCPlugin.
func (p *grpcPlugin) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, errOneSided
}
