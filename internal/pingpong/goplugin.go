package pingpong

import (
	"fmt"
	"io"
	"math"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
)

// The go-plugin peers are plugins as an author would write them, launched by
// go-plugin itself. Only the limit on a message is lifted, so that 64 MiB pass.

var handshake = plugin.HandshakeConfig{
	ProtocolVersion:  1,
	MagicCookieKey:   "RINGFENCE_BENCH_PLUGIN",
	MagicCookieValue: "echo",
}

const echoPlugin = "echo"

func netRPCPlugins() plugin.PluginSet { return plugin.PluginSet{echoPlugin: netRPCPlugin{}} }
func grpcPlugins() plugin.PluginSet   { return plugin.PluginSet{echoPlugin: grpcPlugin{}} }

// servePlugin is the plugin's side of both.
func servePlugin(int) error {
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: handshake,
		VersionedPlugins: map[int]plugin.PluginSet{
			1: netRPCPlugins(),
			2: grpcPlugins(),
		},
		GRPCServer: func(opts []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(opts, grpc.MaxRecvMsgSize(math.MaxInt32))...)
		},
		Logger: hclog.NewNullLogger(),
	})
	return nil
}

// launch starts the plugin and gives its client side.
func launch(role string, version int, plugins plugin.PluginSet, protocol plugin.Protocol) (*plugin.Client, any, error) {
	cmd, err := roleCommand(role)
	if err != nil {
		return nil, nil, err
	}
	cmd.Stderr = nil // go-plugin's
	dieWithParent(cmd)
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  handshake,
		VersionedPlugins: map[int]plugin.PluginSet{version: plugins},
		AllowedProtocols: []plugin.Protocol{protocol},
		Cmd:              cmd,
		SkipHostEnv:      true, // it would overwrite the role
		StartTimeout:     30 * time.Second,
		SyncStdout:       io.Discard,
		SyncStderr:       io.Discard,
		Logger:           hclog.NewNullLogger(),
	})
	rpc, err := client.Client()
	if err != nil {
		client.Kill()
		return nil, nil, fmt.Errorf("launch %s: %w", role, err)
	}
	echo, err := rpc.Dispense(echoPlugin)
	if err != nil {
		client.Kill()
		return nil, nil, fmt.Errorf("dispense: %w", err)
	}
	return client, echo, nil
}

// pluginPID is the process behind a client.
func pluginPID(c *plugin.Client) int {
	if r := c.ReattachConfig(); r != nil {
		return r.Pid
	}
	return 0
}
