package pingpong

import (
	"net/rpc"

	"github.com/hashicorp/go-plugin"
)

// netRPC is go-plugin over net/rpc: gob on a multiplexed Unix socket.
type netRPC struct {
	client *plugin.Client
	rpc    *rpc.Client
	sent   chan *rpc.Call // at most as many as it holds are under way
	free   int
}

// window is how many one-way calls may be under way: net/rpc has no streams, so
// this is as near as it comes to one.
const window = 16

type netRPCPlugin struct{}

func (netRPCPlugin) Server(*plugin.MuxBroker) (any, error) { return &echoServer{}, nil }
func (netRPCPlugin) Client(_ *plugin.MuxBroker, c *rpc.Client) (any, error) {
	return c, nil
}

type echoServer struct{}

// Echo answers with the message.
func (*echoServer) Echo(msg []byte, reply *[]byte) error {
	*reply = msg
	return nil
}

// Sink takes the message and answers with nothing.
func (*echoServer) Sink(msg []byte, reply *struct{}) error { return nil }

func startNetRPC(size int) (peer, error) {
	client, c, err := launch(peerRole("netrpc", size), 1, netRPCPlugins(), plugin.ProtocolNetRPC)
	if err != nil {
		return nil, err
	}
	return &netRPC{client: client, rpc: c.(*rpc.Client), sent: make(chan *rpc.Call, window), free: window}, nil
}

func (n *netRPC) roundTrip(msg, reply []byte) error {
	return n.rpc.Call("Plugin.Echo", msg, &reply)
}

func (n *netRPC) send(msg []byte) error {
	if n.free == 0 {
		if err := n.wait(); err != nil {
			return err
		}
	}
	n.free--
	n.rpc.Go("Plugin.Sink", msg, &struct{}{}, n.sent)
	return nil
}

func (n *netRPC) wait() error {
	call := <-n.sent
	n.free++
	return call.Error
}

func (n *netRPC) sendLast(msg []byte) error {
	if err := n.send(msg); err != nil {
		return err
	}
	for n.free < window {
		if err := n.wait(); err != nil {
			return err
		}
	}
	return nil
}

func (n *netRPC) pid() int { return pluginPID(n.client) }

func (n *netRPC) close() error {
	n.client.Kill()
	return nil
}

func (n *netRPC) echoed(reply []byte) []byte { return reply }
