package serve

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ringfence/ringfence/internal/built"
	"github.com/ringfence/ringfence/pluginkit"
	"github.com/ringfence/ringfence/pluginkit/wire"
	"github.com/ringfence/ringfence/plugins/wasm/internal/wasmtest"
	"github.com/ringfence/ringfence/plugins/wasm/testdata/hostile"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// process is the built sandbox program in a process of its own, with real limits.
type process struct {
	sandbox
	command *exec.Cmd
	stderr  output
	exited  chan struct{}
}

// output is what a process printed so far.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func startProcess(t testing.TB, content []byte) *process {
	t.Helper()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	return startProcessWith(t, content, null)
}

// startProcessWith starts a process whose descriptor 3 is that one.
func startProcessWith(t testing.TB, content []byte, channel *os.File) *process {
	t.Helper()
	file := os.NewFile(uintptr(wasmtest.Sealed(t, content)), "module")
	defer file.Close()
	p := &process{command: exec.Command(filepath.Join(built.Bin(t), "ringfence-plugin-wasm")), exited: make(chan struct{})}
	p.command.Env = []string{"TMPDIR=" + t.TempDir(), "GOMAXPROCS=2",
		pluginkit.Handshake.MagicCookieKey + "=" + pluginkit.Handshake.MagicCookieValue}
	p.command.ExtraFiles = []*os.File{channel, file} // descriptors 3 and 4
	p.command.Stderr = &p.stderr
	if os.Geteuid() == 0 { // a gid of its own: see TestProcessIsOpaque
		p.command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Gid: 65534, NoSetGroups: true}}
	}
	stdout, err := p.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	fields := strings.Split(strings.TrimSpace(line), "|")
	if err != nil || len(fields) < 5 || fields[2] != "unix" || fields[4] != "grpc" {
		t.Fatalf("handshake %q: %v: %s", line, err, p.stderr.String())
	}
	conn, err := grpc.NewClient("unix:"+fields[3], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	go func() { p.command.Wait(); close(p.exited) }()
	t.Cleanup(func() {
		conn.Close()
		p.command.Process.Kill()
		<-p.exited
	})
	p.SandboxClient = wire.NewSandboxClient(conn)
	return p
}

func (p *process) load(t testing.TB, artifact []byte, memory uint64, lifetime wire.Lifetime) *wire.LoadResponse {
	t.Helper()
	response, err := p.Load(t.Context(), &wire.LoadRequest{
		Engine: "wasmer", ArtifactBytes: uint64(len(artifact)), GuestMemoryBytes: memory, Lifetime: lifetime,
	})
	if err != nil {
		t.Fatalf("load: %v: %s", err, p.stderr.String())
	}
	return response
}

// status is a field of /proc/PID/status, in KiB.
func (p *process) status(t testing.TB, field string) (kib int) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.command.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, found := strings.CutPrefix(line, field+":"); found {
			fmt.Sscan(rest, &kib)
		}
	}
	return kib
}

// tool is the number of a tool of the guest "kitchen".
func tool(t testing.TB, manifest []byte, name string) uint32 {
	t.Helper()
	before, _, found := strings.Cut(string(manifest), `"name":"`+name+`"`)
	if !found {
		t.Fatalf("no tool %q", name)
	}
	return uint32(strings.Count(before, `"name":`))
}

func TestProcessEndsOnlyByItsHost(t *testing.T) {
	artifact := kitchen(t)
	p := startProcess(t, artifact)
	r := p.load(t, artifact, kitchenMemory, wire.Lifetime_LIFETIME_CALL)
	call := func(name string, args string) (answer, *wire.Failure) {
		t.Helper()
		a, f, err := p.call(t.Context(), tool(t, r.Manifest, name), []byte(args), noReply)
		if err != nil {
			t.Fatalf("%s: %v: %s", name, err, p.stderr.String())
		}
		return a, f
	}
	for range 3 {
		if _, f := call("eat", "1"); !ends(t, "eat", f, wire.FailureKind_FAILURE_MEMORY, "out of memory") {
			t.Fatal("no failure")
		}
		if a, f := call("echo", "1"); f != nil || string(a.bytes) != "1" {
			t.Fatalf("after the memory bomb: %v %q", f, a.bytes)
		}
	}
	big := `"` + strings.Repeat("x", 20<<20) + `"`
	for range 3 {
		if a, f := call("echo", big); f != nil || string(a.bytes) != big {
			t.Fatalf("20 MiB: %v, %d bytes back", f, len(a.bytes))
		}
	}
	if a, f := call("nested", "5000"); f != nil || string(a.bytes) != "true" {
		t.Fatalf("JSON 5000 deep: %v %q", f, a.bytes)
	}
	limit := int(runLimits(kitchenMemory, uint64(len(artifact))).Data >> 10)
	if data := p.status(t, "VmData"); data > limit {
		t.Errorf("the process has %d KiB of data (limit %d)", data, limit)
	}
}

// A stack overflow costs memory that is not given back, so that a process may
// have a few.
func TestStackOverflowsAreCounted(t *testing.T) {
	artifact := kitchen(t)
	p := startProcess(t, artifact)
	r := p.load(t, artifact, kitchenMemory, wire.Lifetime_LIFETIME_CALL)
	for n := range 1000 {
		_, f, err := p.call(t.Context(), tool(t, r.Manifest, "recurse"), []byte("1"), noReply)
		if n < maxOverflows {
			if err != nil || !ends(t, "recurse", f, wire.FailureKind_FAILURE_STACK, "call stack") {
				t.Fatalf("overflow %d: %v %v", n, f, err)
			}
		} else if status.Code(err) != codes.Aborted {
			t.Fatalf("overflow %d: %v %v, want ABORTED", n, f, err)
		}
	}
}

func TestWornProcessAsksToBeReplaced(t *testing.T) {
	artifact := kitchen(t)
	p := startProcess(t, artifact)
	p.load(t, artifact, kitchenMemory, wire.Lifetime_LIFETIME_CALL)
	before := p.status(t, "VmData")
	for n := range 20_000 {
		_, f, err := p.call(t.Context(), 0, []byte("1"), noReply)
		if status.Code(err) == codes.Aborted {
			if grown := p.status(t, "VmData") - before; n < 100 || grown > wearData>>10 {
				t.Errorf("worn out after %d calls and %d KiB (at most %d)", n, grown, wearData>>10)
			}
			return
		}
		if f != nil || err != nil {
			t.Fatalf("call %d: %v %v: %s", n, f, err, p.stderr.String())
		}
	}
	t.Error("20 000 instances and no sign of wear")
}

// A guest in an endless loop holds nothing up but its call, and dies with its
// process.
func TestLoopingGuests(t *testing.T) {
	for _, m := range hostile.Modules() {
		if !m.LoadLoops && !m.CallLoops {
			continue
		}
		t.Run(m.Name, func(t *testing.T) {
			artifact, f := compile(t, wasmtest.WAT(t, m.WAT))
			if f != nil {
				t.Fatal(f)
			}
			p := startProcess(t, artifact)
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			if m.LoadLoops {
				_, err := p.Load(ctx, &wire.LoadRequest{Engine: "wasmer", ArtifactBytes: uint64(len(artifact)),
					GuestMemoryBytes: hostile.MemoryLimit, Lifetime: wire.Lifetime_LIFETIME_CALL})
				if status.Code(err) != codes.DeadlineExceeded {
					t.Fatalf("load: %v", err)
				}
				return
			}
			p.load(t, artifact, hostile.MemoryLimit, wire.Lifetime_LIFETIME_CALL)
			if _, _, err := p.call(ctx, 0, []byte("1"), noReply); status.Code(err) != codes.DeadlineExceeded {
				t.Fatalf("call: %v", err)
			}
			if _, err := p.Negotiate(t.Context(), &wire.Offer{}); err != nil {
				t.Fatalf("the process does not answer while its guest loops: %v", err)
			}
			_, _, err := p.call(t.Context(), 0, []byte("1"), noReply)
			if status.Code(err) != codes.FailedPrecondition {
				t.Fatalf("a second call: %v", err)
			}
		})
	}
}

func TestCompileWithinItsMemory(t *testing.T) {
	module := wasmtest.Guest(t, "kitchen")
	p := startProcess(t, module)
	stream, err := p.Compile(t.Context(), &wire.CompileRequest{
		Engine: "wasmer", ModuleBytes: uint64(len(module)), MaxArtifactBytes: 1 << 30, MaxMemoryBytes: 160 << 20,
	})
	failed := false // most of the engine aborts without memory, some of it says so
	for err == nil {
		var chunk *wire.CompileChunk
		if chunk, err = stream.Recv(); len(chunk.GetData()) > 0 {
			t.Fatal("compiled within 160 MiB")
		}
		failed = failed || chunk.GetFailure() != nil
	}
	if status.Code(err) != codes.Unavailable && !failed {
		t.Fatalf("%v, want the process to be gone, or a failure", err)
	}
}

// Host calls leave nothing behind: 110 bytes each would be a gigabyte here.
func TestHostCallsLeaveNothing(t *testing.T) {
	artifact, f := compile(t, module(t, "ten-million-host-calls"))
	if f != nil {
		t.Fatal(f)
	}
	p := startProcess(t, artifact)
	p.load(t, artifact, hostile.MemoryLimit, wire.Lifetime_LIFETIME_CALL)
	before := p.status(t, "VmData")
	if _, f, err := p.call(t.Context(), 0, []byte("1"), noReply); f != nil || err != nil {
		t.Fatal(f, err)
	}
	if grown := p.status(t, "VmData") - before; grown > 32<<10 {
		t.Errorf("ten million host calls grew the process by %d KiB", grown)
	}
}

// A session's instance ends when nobody calls it.
func TestIdleSessionEnds(t *testing.T) {
	artifact := kitchen(t)
	p := startProcess(t, artifact)
	r, err := p.Load(t.Context(), &wire.LoadRequest{Engine: "wasmer", ArtifactBytes: uint64(len(artifact)),
		GuestMemoryBytes: kitchenMemory, Lifetime: wire.Lifetime_LIFETIME_SESSION, SessionIdleMs: 1})
	if err != nil || r.Failure != nil {
		t.Fatal(err, r.GetFailure())
	}
	count := tool(t, r.Manifest, "count")
	if a, f, err := p.call(t.Context(), count, []byte("1"), noReply); f != nil || err != nil || string(a.bytes) != "1" {
		t.Fatalf("%q %v %v", a.bytes, f, err)
	}
	for begin := time.Now(); time.Since(begin) < 10*time.Second; {
		a, f, err := p.call(t.Context(), count, []byte("1"), noReply)
		if f != nil || err != nil {
			t.Fatal(f, err)
		}
		if string(a.bytes) == "1" {
			return
		}
		time.Sleep(5 * time.Millisecond) // longer than the session may idle
	}
	t.Error("the instance lives on")
}

// A guest that loops while nobody waits for it ends its process itself.
func TestLoopBetweenCalls(t *testing.T) {
	if testing.Short() {
		t.Skip("takes ten seconds")
	}
	text := strings.Replace(moduleText("echo"), `(func (export "ringfence_free") (param $pointer i32) )`,
		`(func (export "ringfence_free") (param $pointer i32) (loop $l br $l))`, 1)
	artifact, f := compile(t, wasmtest.WAT(t, text))
	if f != nil {
		t.Fatal(f)
	}
	p := startProcess(t, artifact)
	p.load(t, artifact, hostile.MemoryLimit, wire.Lifetime_LIFETIME_SESSION)
	if _, f, err := p.call(t.Context(), 0, []byte("1"), noReply); f != nil || err != nil {
		t.Fatal(f, err)
	}
	select {
	case <-p.exited:
		if code := p.command.ProcessState.ExitCode(); code != exitStuck {
			t.Errorf("exit status %d, want %d: %s", code, exitStuck, p.stderr.String())
		}
	case <-time.After(3 * aheadTimeInTests):
		t.Error("the process loops on")
	}
}

const aheadTimeInTests = 10 * time.Second

// BenchmarkCall measures what a caller waits for over gRPC.
func BenchmarkCall(b *testing.B) {
	artifact := kitchen(b)
	for name, lifetime := range map[string]wire.Lifetime{"call": wire.Lifetime_LIFETIME_CALL, "session": wire.Lifetime_LIFETIME_SESSION} {
		b.Run(name, func(b *testing.B) {
			p := startProcess(b, artifact)
			p.load(b, artifact, kitchenMemory, lifetime)
			for b.Loop() {
				_, f, err := p.call(b.Context(), 0, []byte(`{"a":1}`), noReply)
				if status.Code(err) == codes.Aborted {
					b.StopTimer()
					p = startProcess(b, artifact)
					p.load(b, artifact, kitchenMemory, lifetime)
					b.StartTimer()
				} else if f != nil || err != nil {
					b.Fatal(f, err)
				}
			}
		})
	}
	b.Run("start", func(b *testing.B) {
		for b.Loop() {
			p := startProcess(b, artifact)
			p.load(b, artifact, kitchenMemory, wire.Lifetime_LIFETIME_CALL)
			p.command.Process.Kill()
			<-p.exited
		}
	})
	b.Run("load", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			p := startProcess(b, artifact)
			b.StartTimer()
			p.load(b, artifact, kitchenMemory, wire.Lifetime_LIFETIME_CALL)
			b.StopTimer()
			p.command.Process.Kill()
			<-p.exited
			b.StartTimer()
		}
	})
}
