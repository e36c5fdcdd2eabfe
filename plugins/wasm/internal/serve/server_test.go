package serve

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/pluginkit/wire"
	"github.com/ringfence/ringfence/plugins/wasm/internal/wasmtest"
	"github.com/ringfence/ringfence/plugins/wasm/testdata/hostile"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func module(t testing.TB, name string) []byte {
	t.Helper()
	for _, m := range hostile.Modules() {
		if m.Name == name {
			return wasmtest.WAT(t, m.WAT)
		}
	}
	t.Fatalf("no module %q", name)
	return nil
}

func TestNegotiate(t *testing.T) {
	box := newSandbox(t, []byte("x"))
	offer, err := box.Negotiate(t.Context(), &wire.Offer{Transports: []string{"ring"}})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Join(offer.Transports, ",") != "grpc" || strings.Join(offer.Engines, ",") != "wasmer,wazero" || len(offer.GuestAbis) != 1 {
		t.Errorf("offer %v", offer)
	}
	good := &wire.Terms{Transport: "grpc", Engine: "wasmer", GuestAbi: 1}
	if _, err := box.Settle(t.Context(), good); err != nil {
		t.Errorf("settle: %v", err)
	}
	for _, bad := range []*wire.Terms{
		{}, {Transport: "ring", Engine: "wasmer", GuestAbi: 1}, {Transport: "grpc", Engine: "v8", GuestAbi: 1},
		{Transport: "grpc", Engine: "wasmer", GuestAbi: 2}, {Transport: "grpc", Engine: "wasmer", GuestAbi: 1, RingBytes: 1},
		{Transport: "grpc", Engine: "wasmer", GuestAbi: 1, Windows: true},
	} {
		if _, err := box.Settle(t.Context(), bad); status.Code(err) != codes.InvalidArgument {
			t.Errorf("settle %v: %v", bad, err)
		}
	}
}

// A process that compiles never runs a guest, and the other way round.
func TestOneRoleForEver(t *testing.T) {
	echo := module(t, "echo")
	artifact, f := compile(t, echo)
	if f != nil {
		t.Fatal(f)
	}
	loadRequest := &wire.LoadRequest{Engine: "wasmer", ArtifactBytes: uint64(len(artifact)), GuestMemoryBytes: hostile.MemoryLimit, Lifetime: wire.Lifetime_LIFETIME_CALL}
	compileRequest := &wire.CompileRequest{Engine: "wasmer", ModuleBytes: uint64(len(echo)), MaxArtifactBytes: 1 << 20, MaxMemoryBytes: 1 << 30}

	box := newSandbox(t, artifact)
	if _, err := box.call1(t.Context()); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("call before load: %v", err)
	}
	if _, err := box.Load(t.Context(), loadRequest); err != nil {
		t.Fatal(err)
	}
	if _, err := box.Load(t.Context(), loadRequest); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("load twice: %v", err)
	}
	if err := box.compile1(t.Context(), compileRequest); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("compile after load: %v", err)
	}

	box = newSandbox(t, echo)
	if err := box.compile1(t.Context(), compileRequest); err != nil {
		t.Fatal(err)
	}
	if _, err := box.Load(t.Context(), loadRequest); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("load after compile: %v", err)
	}
	if len(box.limits) != 1 || box.limits[0].Data != 1<<30 {
		t.Errorf("limits %v", box.limits)
	}
}

func (b *sandbox) call1(ctx context.Context) (answer, error) {
	a, _, err := b.call(ctx, 0, []byte("1"), noReply)
	return a, err
}

func (b *sandbox) compile1(ctx context.Context, r *wire.CompileRequest) error {
	stream, err := b.Compile(ctx, r)
	for err == nil {
		_, err = stream.Recv()
	}
	if err == io.EOF {
		return nil
	}
	return err
}

func TestArtifactOverItsLimit(t *testing.T) {
	echo := module(t, "echo")
	stream, err := newSandbox(t, echo).Compile(t.Context(), &wire.CompileRequest{
		Engine: "wasmer", ModuleBytes: uint64(len(echo)), MaxArtifactBytes: 100, MaxMemoryBytes: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	for {
		chunk, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if f := chunk.GetFailure(); f != nil {
			ends(t, "compile", f, wire.FailureKind_FAILURE_LIMIT, "at most 100")
			return
		}
	}
}

func TestNotModules(t *testing.T) {
	for name, content := range map[string][]byte{
		"text":      []byte(`(module (memory (export "memory") 1))`),
		"component": []byte("\x00asm\x0d\x00\x01\x00"),
		"truncated": module(t, "echo")[:100],
		"short":     []byte("\x00as"),
		"random":    []byte(strings.Repeat("\xff", 1000)),
	} {
		_, f := compile(t, content)
		if f.GetKind() != wire.FailureKind_FAILURE_MODULE {
			t.Errorf("%s: %v", name, f)
		}
	}
}

func TestBadLoads(t *testing.T) {
	good := func() *wire.LoadRequest {
		return &wire.LoadRequest{Engine: "wasmer", ArtifactBytes: 1000, GuestMemoryBytes: 1 << 20, Lifetime: wire.Lifetime_LIFETIME_CALL}
	}
	for name, change := range map[string]func(*wire.LoadRequest){
		"engine":   func(r *wire.LoadRequest) { r.Engine = "v8" },
		"memory":   func(r *wire.LoadRequest) { r.GuestMemoryBytes = 5 << 30 },
		"none":     func(r *wire.LoadRequest) { r.GuestMemoryBytes = 0 },
		"lifetime": func(r *wire.LoadRequest) { r.Lifetime = 0 },
		"variable": func(r *wire.LoadRequest) { r.Environment = []*wire.Variable{{Name: "A=B"}} },
	} {
		request := good()
		change(request)
		if _, err := newSandbox(t, make([]byte, 1000)).Load(t.Context(), request); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
	response, err := newSandbox(t, make([]byte, 1000)).Load(t.Context(), good())
	if err != nil || response.Failure.GetKind() != wire.FailureKind_FAILURE_INTERNAL {
		t.Errorf("zeros: %v %v", response, err)
	}
	request := good()
	request.ArtifactBytes = 999
	if _, err := newSandbox(t, make([]byte, 1000)).Load(t.Context(), request); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("wrong size: %v", err)
	}
}

// A module whose memory was not limited is not run.
func TestUnlimitedMemory(t *testing.T) {
	artifact, f := compile(t, wasmtest.WAT(t, strings.Replace(moduleText("echo"), `(memory (export "memory") 2 16)`, `(memory (export "memory") 2)`, 1)))
	if f != nil {
		t.Fatal(f)
	}
	_, response := loadArtifact(t, artifact, hostile.MemoryLimit, wire.Lifetime_LIFETIME_CALL)
	if !ends(t, "load", response.Failure, wire.FailureKind_FAILURE_MODULE, "can grow to") {
		t.Error("it runs")
	}
}

func moduleText(name string) string {
	for _, m := range hostile.Modules() {
		if m.Name == name {
			return m.WAT
		}
	}
	return ""
}

// Only what nobody can change any more is read.
func TestMapSealed(t *testing.T) {
	content := []byte("content")
	for name, seals := range map[string]int{
		"none":      0,
		"writable":  unix.F_SEAL_SHRINK | unix.F_SEAL_GROW,
		"shrinking": unix.F_SEAL_WRITE | unix.F_SEAL_GROW,
		"growing":   unix.F_SEAL_WRITE | unix.F_SEAL_SHRINK,
	} {
		if _, err := MapSealed(wasmtest.Memfd(t, content, seals), uint64(len(content))); err == nil {
			t.Errorf("%s: mapped", name)
		}
	}
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	unix.Close(pipe[1])
	if _, err := MapSealed(pipe[0], 1); err == nil {
		t.Error("pipe: mapped")
	}
	if _, err := MapSealed(wasmtest.Sealed(t, nil), 0); err == nil {
		t.Error("empty: mapped")
	}
	if _, err := MapSealed(-1, 1); err == nil {
		t.Error("no descriptor: mapped")
	}
	m, err := MapSealed(wasmtest.Sealed(t, content), uint64(len(content)))
	if err != nil || string(m.Bytes()) != "content" {
		t.Fatalf("%q %v", m.Bytes(), err)
	}
	m.Close()
}
