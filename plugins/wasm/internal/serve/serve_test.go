package serve

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/ringfence/ringfence/internal/seccomp"
	"github.com/ringfence/ringfence/pluginkit"
	"github.com/ringfence/ringfence/pluginkit/wire"
	"github.com/ringfence/ringfence/plugins/wasm/internal/engine"
	"github.com/ringfence/ringfence/plugins/wasm/internal/engine/wasmer"
	"github.com/ringfence/ringfence/plugins/wasm/internal/engine/wazero"
	_ "github.com/ringfence/ringfence/plugins/wasm/internal/threads"
	"github.com/ringfence/ringfence/plugins/wasm/internal/wasmtest"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
)

// sandbox is a server in this process, with the limits and the filter left out.
type sandbox struct {
	wire.SandboxClient
	server   *Server
	limits   []Limits
	stages   []seccomp.Stage
	confined error // what Confine answers
}

// engines are those of this build.
var engines = map[string]func() engine.Engine{
	"wasmer": func() engine.Engine { return wasmer.New() },
	"wazero": func() engine.Engine { return wazero.New() },
}

// newSandbox serves with content behind the module descriptor.
func newSandbox(t testing.TB, content []byte) *sandbox {
	t.Helper()
	box := &sandbox{}
	fd := wasmtest.Sealed(t, content)
	server := New(Config{
		Build:   "test",
		Engines: engines,
		Module:  func(size uint64) (*Mapping, error) { return MapSealed(fd, size) },
		Limit:   func(l Limits) error { box.limits = append(box.limits, l); return nil },
		Confine: func(stage seccomp.Stage) error { box.stages = append(box.stages, stage); return box.confined },
		Exit:    func(int) { t.Error("the server would have ended the process") },
		Log:     hclog.NewNullLogger(),
	})
	box.server = server
	listener := bufconn.Listen(1 << 20)
	g := grpc.NewServer(grpc.MaxRecvMsgSize(pluginkit.MaxMessage))
	wire.RegisterSandboxServer(g, server)
	go g.Serve(listener)
	conn, err := grpc.NewClient("passthrough:test",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		g.Stop()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		server.Close(ctx)
	})
	box.SandboxClient = wire.NewSandboxClient(conn)
	return box
}

func compile(t testing.TB, module []byte) ([]byte, *wire.Failure) {
	t.Helper()
	return compileWith(t, "wasmer", module)
}

func compileWith(t testing.TB, engine string, module []byte) ([]byte, *wire.Failure) {
	t.Helper()
	box := newSandbox(t, module)
	stream, err := box.Compile(t.Context(), &wire.CompileRequest{
		Engine: engine, ModuleBytes: uint64(len(module)), MaxArtifactBytes: 256 << 20, MaxMemoryBytes: 2 << 30,
	})
	if err != nil {
		t.Fatal(err)
	}
	var artifact []byte
	for {
		chunk, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return artifact, nil
		}
		if err != nil {
			t.Fatal(err)
		}
		if f := chunk.GetFailure(); f != nil {
			return nil, f
		}
		artifact = append(artifact, chunk.GetData()...)
	}
}

func loadArtifact(t testing.TB, artifact []byte, memory uint64, lifetime wire.Lifetime) (*sandbox, *wire.LoadResponse) {
	t.Helper()
	return loadWith(t, "wasmer", artifact, memory, lifetime)
}

func loadWith(t testing.TB, engine string, artifact []byte, memory uint64, lifetime wire.Lifetime) (*sandbox, *wire.LoadResponse) {
	t.Helper()
	box := newSandbox(t, artifact)
	response, err := box.Load(t.Context(), &wire.LoadRequest{
		Engine: engine, ArtifactBytes: uint64(len(artifact)), GuestMemoryBytes: memory, Lifetime: lifetime,
		Environment: []*wire.Variable{{Name: "LANG", Value: "C"}}, SessionIdleMs: 60_000,
	})
	if err != nil {
		t.Fatalf("load: %v", err)
	}
	return box, response
}

type answer struct {
	status uint32
	bytes  []byte
	logs   []string
}

// call makes a call and answers the guest's requests with reply.
func (b *sandbox) call(ctx context.Context, tool uint32, args []byte, reply func(*wire.CapabilityRequest) *wire.CapabilityReply) (a answer, f *wire.Failure, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := b.Call(ctx)
	if err != nil {
		return a, nil, err
	}
	start := &wire.CallStart{Tool: tool, ArgumentsBytes: uint64(len(args))}
	if err := stream.Send(&wire.HostFrame{Kind: &wire.HostFrame_Start{Start: start}}); err != nil && err != io.EOF { // EOF: Recv says why
		return a, nil, err
	}
	if err := pieces(uint64(len(args)), func(offset, n uint64) error {
		return stream.Send(&wire.HostFrame{Kind: &wire.HostFrame_Arguments{Arguments: args[offset : offset+n]}})
	}); err != nil && err != io.EOF {
		return a, nil, err
	}
	for {
		frame, err := stream.Recv()
		if err != nil {
			return a, nil, err
		}
		switch kind := frame.Kind.(type) {
		case *wire.SandboxFrame_Failure:
			if _, err := stream.Recv(); err != io.EOF {
				return a, nil, errors.New("frames after the failure")
			}
			return a, kind.Failure, nil
		case *wire.SandboxFrame_Log:
			a.logs = append(a.logs, kind.Log.Message)
		case *wire.SandboxFrame_Request:
			r := reply(kind.Request)
			if err := stream.Send(&wire.HostFrame{Kind: &wire.HostFrame_Reply{Reply: r}}); err != nil && err != io.EOF {
				return a, nil, err
			}
		case *wire.SandboxFrame_Result:
			a.status = kind.Result.Status
			for uint64(len(a.bytes)) < kind.Result.ResultBytes {
				frame, err := stream.Recv()
				if err != nil {
					return a, nil, err
				}
				a.bytes = append(a.bytes, frame.GetData()...)
			}
			_, err := stream.Recv()
			if err != io.EOF {
				return a, nil, errors.New("frames after the result")
			}
			return a, nil, nil
		}
	}
}
