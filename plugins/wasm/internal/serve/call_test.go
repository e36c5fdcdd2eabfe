package serve

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ringfence/ringfence/pluginkit"
	"github.com/ringfence/ringfence/pluginkit/wire"
	"github.com/ringfence/ringfence/plugins/wasm/internal/wasmtest"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const kitchenMemory = 128 << 20

var kitchenOnce struct {
	sync.Once
	artifact []byte
}

// kitchen is the compiled guest "kitchen".
func kitchen(t testing.TB) []byte {
	t.Helper()
	kitchenOnce.Do(func() {
		artifact, f := compile(t, wasmtest.Limit(t, wasmtest.Guest(t, "kitchen"), kitchenMemory))
		if f != nil {
			t.Fatal(f)
		}
		kitchenOnce.artifact = artifact
	})
	return kitchenOnce.artifact
}

func loadKitchen(t testing.TB, lifetime wire.Lifetime) (*sandbox, func(string) uint32) {
	t.Helper()
	box, response := loadArtifact(t, kitchen(t), kitchenMemory, lifetime)
	if response.Failure != nil {
		t.Fatal(response.Failure)
	}
	return box, func(name string) uint32 { return tool(t, response.Manifest, name) }
}

func TestTools(t *testing.T) {
	box, number := loadKitchen(t, wire.Lifetime_LIFETIME_CALL)
	for _, c := range []struct {
		tool, args string
		status     uint32
		want       string
		failure    wire.FailureKind
		logs       string
	}{
		{tool: "echo", args: `{"a":1}`, want: `{"a":1}`},
		{tool: "echo", args: "", want: ""},
		{tool: "fail", args: "1", status: 1, want: "it failed"},
		{tool: "panic", args: "1", failure: wire.FailureKind_FAILURE_TRAP, want: `panic: boom\x1b[31m`},
		{tool: "exit", args: "1", failure: wire.FailureKind_FAILURE_EXIT, want: "the guest exited with status 0 instead of returning"},
		{tool: "recurse", args: "1", failure: wire.FailureKind_FAILURE_STACK, want: "the guest's call stack is exhausted"},
		{tool: "print", args: "1", want: "null", logs: "to stdout|to stderr, no newline"},
		{tool: "count", args: "1", want: "1"},
		{tool: "count", args: "1", want: "1"},
		{tool: "secret", args: `"known"`, want: "1"},
		{tool: "secret", args: `"other"`, want: "0"},
		{tool: "environ", args: "1", want: `["LANG=C"]`},
		{tool: "files", args: "1", status: 1, want: "open /etc/passwd: Bad file number"},
	} {
		a, f, err := box.call(t.Context(), number(c.tool), []byte(c.args), func(r *wire.CapabilityRequest) *wire.CapabilityReply {
			return &wire.CapabilityReply{Id: r.Id, Exists: r.GetSecretExists().GetName() == "known"}
		})
		if err != nil {
			t.Fatalf("%s: %v", c.tool, err)
		}
		got := string(a.bytes)
		if f != nil {
			got = f.Message
		}
		if f.GetKind() != c.failure || a.status != c.status || got != c.want || c.logs != "" && strings.Join(a.logs, "|") != c.logs {
			t.Errorf("%s(%s): %v, status %d, %q, logs %q", c.tool, c.args, f.GetKind(), a.status, got, a.logs)
		}
	}
}

func TestSessionKeepsItsInstance(t *testing.T) {
	box, number := loadKitchen(t, wire.Lifetime_LIFETIME_SESSION)
	want := func(n string) {
		t.Helper()
		a, f, err := box.call(t.Context(), number("count"), []byte("1"), noReply)
		if f != nil || err != nil || string(a.bytes) != n {
			t.Fatalf("%q %v %v, want %s", a.bytes, f, err, n)
		}
	}
	want("1")
	want("2")
	if _, f, err := box.call(t.Context(), number("panic"), []byte("1"), noReply); f == nil {
		t.Fatalf("no panic: %v", err)
	}
	want("1") // a trap ends the instance
	big := bytes.Repeat([]byte("x"), 40<<20)
	if _, f, err := box.call(t.Context(), number("echo"), big, noReply); f != nil || err != nil {
		t.Fatal(f, err)
	}
	if _, f, err := box.call(t.Context(), number("echo"), bytes.Repeat(big, 2), noReply); f != nil || err != nil {
		t.Fatal(f, err)
	}
	want("1") // and so does growing
}

func TestLogFloodIsBounded(t *testing.T) {
	box, number := loadKitchen(t, wire.Lifetime_LIFETIME_CALL)
	a, f, err := box.call(t.Context(), number("flood"), []byte("1"), noReply)
	if f != nil || err != nil {
		t.Fatal(f, err)
	}
	if last := a.logs[len(a.logs)-1]; len(a.logs) != 4097 || !strings.HasPrefix(last, "suppressed 95904 log lines") {
		t.Errorf("%d lines, the last one %q", len(a.logs), last)
	}
}

// A body larger than any message is read in pieces.
func TestFetch(t *testing.T) {
	box, number := loadKitchen(t, wire.Lifetime_LIFETIME_CALL)
	body := strings.Repeat("0123456789abcdef", 200_000)
	reply := func(r *wire.CapabilityRequest) *wire.CapabilityReply {
		switch op := r.Op.(type) {
		case *wire.CapabilityRequest_Http:
			if op.Http.Url != "https://example.org/" {
				return &wire.CapabilityReply{Id: r.Id, Code: wire.Code_CODE_DENIED, Message: "not allowed"}
			}
			return &wire.CapabilityReply{Id: r.Id, Handle: 1 << 63, Status: 200, BodyBytes: uint64(len(body)), Unsized: op.Http.Method == "POST",
				Headers: []*wire.Header{{Name: "X", Value: op.Http.Method}}}
		case *wire.CapabilityRequest_BodyRead:
			rest := body[min(op.BodyRead.Offset, uint64(len(body))):]
			if op.BodyRead.Handle != 1<<63 {
				t.Errorf("handle %d", op.BodyRead.Handle)
			}
			return &wire.CapabilityReply{Id: r.Id, Data: []byte(rest[:min(len(rest), int(op.BodyRead.Length))])}
		}
		return &wire.CapabilityReply{Id: r.Id}
	}
	a, f, err := box.call(t.Context(), number("fetch"), []byte(`{"method":"GET","url":"https://example.org/"}`), reply)
	if f != nil || err != nil {
		t.Fatal(f, err)
	}
	var got struct {
		Head json.RawMessage
		Body string
	}
	if err := json.Unmarshal(a.bytes, &got); err != nil || got.Body != body {
		t.Errorf("%v, a body of %d bytes", err, len(got.Body))
	}
	if want := fmt.Sprintf(`{"status":200,"headers":[["X","GET"]],"body_bytes":%d}`, len(body)); string(got.Head) != want {
		t.Errorf("head %s, want %s", got.Head, want)
	}
	a, _, _ = box.call(t.Context(), number("fetch"), []byte(`{"method":"POST","url":"https://example.org/"}`), reply)
	if err := json.Unmarshal(a.bytes, &got); err != nil || got.Body != body || string(got.Head) != `{"status":200,"headers":[["X","POST"]]}` {
		t.Errorf("of a length that nobody knows: %v, %d bytes, head %s", err, len(got.Body), got.Head)
	}
	a, _, _ = box.call(t.Context(), number("fetch"), []byte(`{"method":"GET","url":"https://evil.example/"}`), reply)
	if string(a.bytes) != "-1: not allowed" {
		t.Errorf("denied: %q", a.bytes)
	}
	a, _, _ = box.call(t.Context(), number("fetch"), []byte(`{"metod":"GET"}`), reply)
	if !strings.HasPrefix(string(a.bytes), "-2: the request is not valid") {
		t.Errorf("malformed: %q", a.bytes)
	}
	wrong := func(r *wire.CapabilityRequest) *wire.CapabilityReply { return &wire.CapabilityReply{Id: r.Id + 1} }
	a, _, _ = box.call(t.Context(), number("fetch"), []byte(`{"method":"GET","url":"https://example.org/"}`), wrong)
	if !strings.HasPrefix(string(a.bytes), "-8: ") {
		t.Errorf("the wrong answer: %q", a.bytes)
	}
}

// Cancelling ends a sleeping guest, and the next call does not wait for long.
func TestCancelEndsSleep(t *testing.T) {
	box, number := loadKitchen(t, wire.Lifetime_LIFETIME_CALL)
	for range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, _, err := box.call(ctx, number("sleep"), []byte("1"), noReply)
		cancel()
		if status.Code(err) != codes.DeadlineExceeded {
			t.Fatalf("sleep: %v", err)
		}
		a, f, err := box.call(t.Context(), number("echo"), []byte("1"), noReply)
		if f != nil || err != nil || string(a.bytes) != "1" {
			t.Fatalf("after it: %q %v %v", a.bytes, f, err)
		}
	}
}

func TestTimeoutEndsSleep(t *testing.T) {
	box, number := loadKitchen(t, wire.Lifetime_LIFETIME_CALL)
	stream, err := box.Call(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stream.Send(&wire.HostFrame{Kind: &wire.HostFrame_Start{Start: &wire.CallStart{Tool: number("sleep"), TimeoutMs: 50}}})
	for {
		frame, err := stream.Recv()
		if err != nil {
			t.Fatal(err)
		}
		if f := frame.GetFailure(); f != nil {
			ends(t, "sleep", f, wire.FailureKind_FAILURE_CANCELED, "cancelled")
			return
		}
	}
}

// A cancelled call still ends with its last frame, by which the host knows that
// the process can be used again.
func TestCancelEndsCallWithLastFrame(t *testing.T) {
	box, number := loadKitchen(t, wire.Lifetime_LIFETIME_CALL)
	cancel := &wire.HostFrame{Kind: &wire.HostFrame_Cancel{Cancel: &wire.Cancel{}}}
	for name, frames := range map[string][]*wire.HostFrame{
		"while it sleeps":        {{Kind: &wire.HostFrame_Start{Start: &wire.CallStart{Tool: number("sleep")}}}, cancel},
		"amid its arguments":     {{Kind: &wire.HostFrame_Start{Start: &wire.CallStart{ArgumentsBytes: 100}}}, cancel},
		"answer without request": {{Kind: &wire.HostFrame_Start{Start: &wire.CallStart{Tool: number("sleep")}}}, {Kind: &wire.HostFrame_Reply{Reply: &wire.CapabilityReply{}}}, {Kind: &wire.HostFrame_Reply{Reply: &wire.CapabilityReply{}}}},
	} {
		stream, err := box.Call(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, frame := range frames {
			if err := stream.Send(frame); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		frame, err := stream.Recv()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		ends(t, name, frame.GetFailure(), wire.FailureKind_FAILURE_CANCELED, "cancelled")
		if _, err := stream.Recv(); err != io.EOF {
			t.Fatalf("%s: %v after the last frame, want the end of the stream", name, err)
		}
		if a, f, err := box.call(t.Context(), number("echo"), []byte("1"), noReply); f != nil || err != nil || string(a.bytes) != "1" {
			t.Fatalf("%s: the next call: %q %v %v", name, a.bytes, f, err)
		}
	}
}

func TestMalformedCalls(t *testing.T) {
	box, _ := loadKitchen(t, wire.Lifetime_LIFETIME_CALL)
	start := func(n uint64) *wire.HostFrame {
		return &wire.HostFrame{Kind: &wire.HostFrame_Start{Start: &wire.CallStart{ArgumentsBytes: n}}}
	}
	piece := func(n int) *wire.HostFrame {
		return &wire.HostFrame{Kind: &wire.HostFrame_Arguments{Arguments: make([]byte, n)}}
	}
	for name, frames := range map[string][]*wire.HostFrame{
		"no start":        {piece(1)},
		"empty frame":     {{}},
		"too large":       {start(pluginkit.MaxArguments + 1)},
		"too much":        {start(3), piece(4)},
		"empty piece":     {start(3), piece(0)},
		"oversized piece": {start(2 << 20), piece(pluginkit.MaxPiece + 1)},
		"start twice":     {start(3), start(3)},
	} {
		stream, err := box.Call(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, frame := range frames {
			stream.Send(frame)
		}
		if _, err := stream.Recv(); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s: %v, want INVALID_ARGUMENT", name, err)
		}
	}
	if a, f, err := box.call(t.Context(), 0, []byte("1"), noReply); f != nil || err != nil || string(a.bytes) != "1" {
		t.Errorf("after all that: %q %v %v", a.bytes, f, err)
	}
}
