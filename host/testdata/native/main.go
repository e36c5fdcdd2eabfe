// Command native is a plugin that makes the attacks of package attack. It is a
// plain go-plugin program: it speaks the wire protocol and knows nothing of its
// negotiation, nor does it give anything up by itself. With RINGED in its environment
// it negotiates, so that the host gives each of its processes a ring, which it then
// does not take.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/ringfence/ringfence/internal/attack"
	"github.com/ringfence/ringfence/pluginkit"
	"github.com/ringfence/ringfence/pluginkit/wire"
)

const manifest = `{"tools":[
	{"name":"attack","description":"makes an attack","input_schema":{"type":"object"}},
	{"name":"echo","description":"answers with what came","input_schema":{"type":"object"}},
	{"name":"fetch","description":"asks the host for a page","input_schema":{"type":"object"}},
	{"name":"look","description":"says what it sees","input_schema":{"type":"object"}},
	{"name":"spin","description":"computes for ever","input_schema":{"type":"object"}},
	{"name":"count","description":"counts its calls","input_schema":{"type":"object"}}]}`

func main() {
	if len(os.Args) == 3 && os.Args[1] == "attack" {
		fmt.Print(attack.Perform([]byte(os.Args[2])))
		return
	}
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: pluginkit.Handshake,
		Plugins:         plugin.PluginSet{pluginkit.ServiceName: &served{}},
		GRPCServer:      plugin.DefaultGRPCServer,
	})
}

type served struct{ plugin.NetRPCUnsupportedPlugin }

func (*served) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	wire.RegisterSandboxServer(s, &server{})
	return nil
}

func (*served) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, errors.New("this side only serves")
}

type server struct {
	wire.UnimplementedSandboxServer
	calls int
}

func (s *server) Negotiate(ctx context.Context, offer *wire.Offer) (*wire.Offer, error) {
	if os.Getenv("RINGED") == "" {
		return s.UnimplementedSandboxServer.Negotiate(ctx, offer)
	}
	return &wire.Offer{Transports: []string{"grpc", "ring"}, LayoutVersions: []uint32{99}, Engines: []string{pluginkit.EngineNative}, GuestAbis: []uint32{1}}, nil
}

func (s *server) Settle(_ context.Context, terms *wire.Terms) (*wire.Terms, error) { return terms, nil }

func (*server) Load(context.Context, *wire.LoadRequest) (*wire.LoadResponse, error) {
	return &wire.LoadResponse{Manifest: []byte(manifest)}, nil
}

func (s *server) Call(stream wire.Sandbox_CallServer) error {
	frame, err := stream.Recv()
	if err != nil {
		return err
	}
	start, arguments := frame.GetStart(), []byte{}
	for uint64(len(arguments)) < start.GetArgumentsBytes() {
		if frame, err = stream.Recv(); err != nil {
			return err
		}
		arguments = append(arguments, frame.GetArguments()...)
	}
	s.calls++
	answer := s.run(start.GetTool(), arguments, stream)
	head := &wire.ResultHead{ResultBytes: uint64(len(answer))}
	if err := stream.Send(&wire.SandboxFrame{Kind: &wire.SandboxFrame_Result{Result: head}}); err != nil {
		return err
	}
	return stream.Send(&wire.SandboxFrame{Kind: &wire.SandboxFrame_Data{Data: answer}})
}

func (s *server) run(tool uint32, arguments []byte, stream wire.Sandbox_CallServer) []byte {
	switch tool {
	case 0:
		return text(attack.Perform(arguments))
	case 1:
		return arguments
	case 2:
		return fetch(arguments, stream)
	case 3:
		cwd, _ := os.Getwd()
		_, absent := os.ReadDir("/")
		b, _ := json.Marshal(map[string]any{"environment": os.Environ(), "uid": syscall.Getuid(), "cwd": cwd, "root": fmt.Sprint(absent)})
		return b
	case 4:
		for {
		}
	}
	b, _ := json.Marshal(map[string]int{"calls": s.calls})
	return b
}

// fetch asks for the page that the arguments name, and hands on what the host
// says.
func fetch(arguments []byte, stream wire.Sandbox_CallServer) []byte {
	var args struct{ URL string }
	_ = json.Unmarshal(arguments, &args)
	request := &wire.CapabilityRequest{Id: 7, Op: &wire.CapabilityRequest_Http{Http: &wire.HttpRequest{Method: "GET", Url: args.URL}}}
	if err := stream.Send(&wire.SandboxFrame{Kind: &wire.SandboxFrame_Request{Request: request}}); err != nil {
		return text(err.Error())
	}
	frame, err := stream.Recv()
	if err != nil {
		return text(err.Error())
	}
	reply := frame.GetReply()
	return text(fmt.Sprintf("%v %d %s", reply.GetCode(), reply.GetStatus(), reply.GetMessage()))
}

func text(s string) []byte {
	b, _ := json.Marshal(s)
	return b
}
