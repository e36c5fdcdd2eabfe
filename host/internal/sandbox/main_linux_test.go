package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"

	"github.com/ringfence/ringfence/host/internal/module"
	"github.com/ringfence/ringfence/host/internal/rundir"
	"github.com/ringfence/ringfence/host/internal/sealed"
	"github.com/ringfence/ringfence/host/internal/transport"
	"github.com/ringfence/ringfence/internal/built"
	"github.com/ringfence/ringfence/pluginkit/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const guestMemory = 192 << 20

// factory starts sandboxes without a jail: what the jail adds is tested with the
// whole host.
func factory(t testing.TB) *Factory {
	t.Helper()
	dir, err := rundir.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dir.Close() })
	return &Factory{
		Executable: filepath.Join(built.Bin(t), "ringfence-plugin-wasm"), Dir: dir, Logger: hclog.NewNullLogger(),
		Threads: 2, LoadTimeout: time.Minute,
	}
}

// testGuest is a guest of plugins/wasm/testdata/guests, compiled once.
type testGuest struct {
	name   string
	engine string

	once     sync.Once
	compiled []byte
	err      error
}

var (
	kitchen       = &testGuest{name: "kitchen", engine: "wasmer"}
	kitchenWazero = &testGuest{name: "kitchen", engine: "wazero"}
	windows       = &testGuest{name: "windows", engine: "wasmer"}
	windowsWazero = &testGuest{name: "windows", engine: "wazero"}
)

// code is the compiled guest.
func (g *testGuest) code(t testing.TB) *os.File {
	t.Helper()
	g.once.Do(func() { g.compiled, g.err = g.compile(t) })
	if g.err != nil {
		t.Fatal(g.err)
	}
	f, err := sealed.Bytes("code", g.compiled)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func (g *testGuest) compile(t testing.TB) ([]byte, error) {
	path := filepath.Join(t.TempDir(), "guest.wasm")
	build := exec.Command("go", "build", "-buildmode=c-shared", "-ldflags=-s -w", "-o", path, "../../../plugins/wasm/testdata/guests/"+g.name)
	build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	m, err := module.Load(path, "", guestMemory)
	if err != nil {
		return nil, err
	}
	source, err := sealed.Bytes("module", m.Limited)
	if err != nil {
		return nil, err
	}
	defer source.Close()
	var code bytes.Buffer
	err = factory(t).Compile(context.Background(), CompileJob{
		Plugin: g.name, Engine: g.engine, Module: source, ModuleSize: int64(len(m.Limited)),
		Timeout: 5 * time.Minute, MaxMemory: 4 << 30, MaxArtifact: 1 << 30, Progress: func(string) {},
	}, &code)
	return code.Bytes(), err
}

// ways are the transports and engines that a contract holds for.
var ways = []struct {
	name, transport string
	noRing          bool
	ring            Ring
	guest           *testGuest
}{
	{"grpc", "grpc", true, Ring{}, kitchen},
	{"ring", "ring", false, Ring{}, kitchen},
	{"smallest ring", "ring", false, Ring{Bytes: 64 << 10}, kitchen},
	{"wazero, grpc", "grpc", true, Ring{}, kitchenWazero},
	{"wazero, smallest ring", "ring", false, Ring{Bytes: 64 << 10}, kitchenWazero},
}

// box is a running sandbox with the kitchen.
type box struct {
	*Sandbox
	t      testing.TB
	engine string
}

// eachWay runs a test over every transport, and under either engine.
func eachWay(t *testing.T, session bool, test func(t *testing.T, b *box)) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			test(t, start(t, way.guest, way.noRing, Plan{Session: session, Ring: way.ring}, way.transport))
		})
	}
}

func start(t testing.TB, guest *testGuest, noRing bool, plan Plan, transport string) *box {
	t.Helper()
	code := guest.code(t)
	f := factory(t)
	f.NoRing = noRing
	plan.Plugin, plan.Engine, plan.Artifact, plan.GuestMemory = guest.name, guest.engine, code, guestMemory
	plan.ArtifactSize = int64(len(guest.compiled))
	s, err := f.Start(t.Context(), plan)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kill)
	if s.TransportName() != transport || (s.Reason() == "") != (transport == "ring") {
		t.Fatalf("calls go over %s, not %s: %s", s.TransportName(), transport, s.Reason())
	}
	return &box{s, t, guest.engine}
}

func (b *box) tool(name string) uint32 {
	b.t.Helper()
	for i, tool := range b.Tools {
		if tool.Name == name {
			return uint32(i)
		}
	}
	b.t.Fatalf("there is no tool %q", name)
	return 0
}

func (b *box) call(ctx context.Context, tool string, args []byte, caps transport.Capabilities) (transport.Result, error) {
	b.t.Helper()
	return b.Call(ctx, transport.Call{Tool: b.tool(tool), Arguments: args, MaxResult: guestMemory}, time.Minute, caps)
}

// works checks that the sandbox serves another call.
func (b *box) works() {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
	defer cancel()
	if !b.Idle(ctx) {
		b.t.Fatal("the sandbox is not idle")
	}
	r, err := b.call(b.t.Context(), "echo", []byte(`{"still":"here"}`), &desk{})
	if err != nil || string(r.Data) != `{"still":"here"}` {
		b.t.Fatalf("the next call: %q, %v", r.Data, err)
	}
}

// desk is what a guest of a test can reach.
type desk struct {
	handle func(ctx context.Context, r *wire.CapabilityRequest) *wire.CapabilityReply
	log    func(line string)
	levels []int32
	lines  []string
}

func (d *desk) Handle(ctx context.Context, r *wire.CapabilityRequest) *wire.CapabilityReply {
	reply := &wire.CapabilityReply{Code: wire.Code_CODE_DENIED, Message: "not here"}
	if d.handle != nil {
		reply = d.handle(ctx, r)
	}
	reply.Id = r.GetId()
	return reply
}

func (d *desk) Log(level int32, line string) {
	d.levels, d.lines = append(d.levels, level), append(d.lines, line)
	if d.log != nil {
		d.log(line)
	}
}

func request(url string) []byte {
	b, _ := json.Marshal(map[string]any{"method": "GET", "url": url, "headers": [][2]string{{"Accept", "*/*"}}})
	return b
}
