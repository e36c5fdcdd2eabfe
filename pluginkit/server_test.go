package pluginkit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/ringfence/ringfence/pluginkit/guest"
	"github.com/ringfence/ringfence/pluginkit/wire"
)

type none struct{}

var kept context.Context // of a call that has ended

func init() {
	guest.Tool("plain", "Logs and fetches without a context.", func(a struct {
		URL string `json:"url"`
	}) (string, error) {
		guest.Log(guest.LevelWarn, "hello", "n", 1)
		r, err := guest.Fetch(guest.Request{URL: a.URL})
		if err != nil {
			return "", err
		}
		b, err := r.ReadAll(1 << 20)
		return fmt.Sprint(r.Status, r.Header.Get("X"), string(b)), err
	})
	guest.ToolContext("many", "Fetches several at once.", func(ctx context.Context, _ none) ([]string, error) {
		got := make([]string, 8)
		var wg sync.WaitGroup
		for i := range got {
			wg.Go(func() {
				_, err := guest.FetchContext(ctx, guest.Request{URL: fmt.Sprintf("deny-%d", i)})
				got[i] = err.Error()
			})
		}
		wg.Wait()
		return got, nil
	})
	guest.ToolContext("wait", "Waits for the end of its context.", func(ctx context.Context, _ none) (none, error) {
		kept = ctx
		<-ctx.Done()
		return none{}, ctx.Err()
	})
	guest.ToolContext("asks", "Asks the host, who never answers.", func(ctx context.Context, _ none) (bool, error) {
		return guest.SecretExistsContext(ctx, "silence")
	})
	guest.Tool("panics", "Panics.", func(none) (none, error) { panic("on purpose") })
	guest.Tool("fails", "Fails.", func(none) (none, error) { return none{}, errors.New("no luck") })
	guest.ToolContext("grants", "Uses what the host keeps, several at once.", grants)
	guest.Tool("late", "Uses the context of a call that is over.", func(none) (string, error) {
		_, err := guest.FetchContext(kept, guest.Request{URL: "x"})
		return err.Error(), nil
	})
}

var tools = map[string]uint32{"plain": 0, "many": 1, "wait": 2, "asks": 3, "panics": 4, "fails": 5, "grants": 6, "late": 7}

// connect serves in this process; confined counts how often the process would
// have been confined.
func connect(t *testing.T) (client wire.SandboxClient, confined *int) {
	t.Helper()
	l, confined := bufconn.Listen(1<<20), new(int)
	s := grpc.NewServer()
	wire.RegisterSandboxServer(s, newServer(hclog.NewNullLogger(), func() error { *confined++; return nil }, nil))
	go s.Serve(l)
	t.Cleanup(s.Stop)
	conn, err := grpc.NewClient("passthrough:///x", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return wire.NewSandboxClient(conn), confined
}

func load(t *testing.T) wire.SandboxClient {
	t.Helper()
	client, confined := connect(t)
	r, err := client.Load(t.Context(), &wire.LoadRequest{Engine: EngineNative})
	if err != nil || r.GetFailure() != nil || *confined != 1 {
		t.Fatalf("%v, %v, confined %d times", r, err, *confined)
	}
	return client
}

// ended is how a call came to its end.
type ended struct {
	status uint32
	data   string
	fail   *wire.Failure
	logs   []string
	err    error
}

// call makes one, answering what it is asked for; cancel cancels it when the tool
// is known to run.
func call(t *testing.T, client wire.SandboxClient, tool, arguments string, timeout time.Duration, cancel bool) (e ended) {
	t.Helper()
	stream, err := client.Call(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	start := &wire.CallStart{Tool: tools[tool], ArgumentsBytes: uint64(len(arguments)), TimeoutMs: uint64(timeout.Milliseconds())}
	_ = stream.Send(&wire.HostFrame{Kind: &wire.HostFrame_Start{Start: start}})
	_ = stream.Send(&wire.HostFrame{Kind: &wire.HostFrame_Arguments{Arguments: []byte(arguments)}})
	if cancel {
		_ = stream.Send(&wire.HostFrame{Kind: &wire.HostFrame_Cancel{Cancel: &wire.Cancel{}}})
	}
	for {
		frame, err := stream.Recv()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				e.err = err
			}
			return e
		}
		switch kind := frame.Kind.(type) {
		case *wire.SandboxFrame_Request:
			if reply := answerTo(kind.Request); reply != nil {
				_ = stream.Send(&wire.HostFrame{Kind: &wire.HostFrame_Reply{Reply: reply}})
			}
		case *wire.SandboxFrame_Log:
			e.logs = append(e.logs, fmt.Sprint(kind.Log.Level, " ", kind.Log.Message))
		case *wire.SandboxFrame_Result:
			e.status = kind.Result.Status
		case *wire.SandboxFrame_Data:
			e.data += string(kind.Data)
		case *wire.SandboxFrame_Failure:
			e.fail = kind.Failure
		}
	}
}

func answerTo(r *wire.CapabilityRequest) *wire.CapabilityReply {
	reply := &wire.CapabilityReply{Id: r.Id}
	switch op := r.Op.(type) {
	case *wire.CapabilityRequest_Http:
		if url := op.Http.Url; strings.HasPrefix(url, "deny") {
			reply.Code, reply.Message = wire.Code_CODE_DENIED, "not "+url
			return reply
		}
		reply.Handle, reply.Status, reply.BodyBytes = 5, http.StatusTeapot, 4
		reply.Headers = []*wire.Header{{Name: "X", Value: "y"}}
	case *wire.CapabilityRequest_BodyRead:
		reply.Data = []byte("body")[min(4, op.BodyRead.Offset):]
	case *wire.CapabilityRequest_SecretExists:
		return nil // never
	case *wire.CapabilityRequest_Files:
		answerFiles(op.Files, reply)
	case *wire.CapabilityRequest_State:
		reply.Code, reply.Message = wire.Code_CODE_CHANGED, "by "+op.State.Key
	case *wire.CapabilityRequest_Invoke:
		reply.Handle, reply.BodyBytes = 6, 4
	}
	return reply
}

// The head of an answer tells its length where the host knows it.
func TestHeadsOfAnswers(t *testing.T) {
	c := &capabilities{}
	for want, reply := range map[string]*wire.CapabilityReply{
		`{"status":200,"headers":[],"body_bytes":0}`: {Status: 200},
		`{"status":200,"headers":[],"body_bytes":7}`: {Status: 200, BodyBytes: 7},
		`{"status":200,"headers":[]}`:                {Status: 200, Unsized: true},
	} {
		head := make([]byte, 100)
		if n := c.Head(c.keep(5, reply), head); string(head[:n]) != want {
			t.Errorf("%s, want %s", head[:n], want)
		}
	}
}

func TestToolsWorkAsInAModule(t *testing.T) {
	client := load(t)
	e := call(t, client, "plain", `{"url":"http://x/"}`, time.Minute, false)
	if e.status != 0 || e.data != `"418ybody"` || len(e.logs) != 1 || e.logs[0] != "2 hello n=1" {
		t.Errorf("%+v", e)
	}
	if e := call(t, client, "plain", `{"url":"deny"}`, time.Minute, false); e.status != 1 || !strings.Contains(e.data, "denied by the policy: not deny") {
		t.Errorf("%+v", e)
	}
	if e := call(t, client, "plain", `{"link":"x"}`, time.Minute, false); e.status != 2 || e.data == "" {
		t.Errorf("wrong arguments: %+v", e)
	}
	if e := call(t, client, "fails", `{}`, time.Minute, false); e.status != 1 || e.data != "no luck" {
		t.Errorf("%+v", e)
	}
}

// Several goroutines ask at once, and each gets its own answer and its own words.
func TestRequestsAtTheSameTimeAreToldApart(t *testing.T) {
	e := call(t, load(t), "many", `{}`, time.Minute, false)
	for i := range 8 {
		if want := fmt.Sprintf(`GET deny-%d: denied by the policy: not deny-%d"`, i, i); !strings.Contains(e.data, want) {
			t.Errorf("no %s in %s (%+v)", want, e.data, e)
		}
	}
}

// A call that is cancelled, or whose time is over, ends with a last frame, whether
// it computes or waits for the host.
func TestCallsEndWithTheirContext(t *testing.T) {
	client := load(t)
	for _, tool := range []string{"wait", "asks"} {
		if e := call(t, client, tool, `{}`, 0, true); e.fail.GetKind() != wire.FailureKind_FAILURE_CANCELED || e.err != nil {
			t.Errorf("%s, cancelled: %+v", tool, e)
		}
		if e := call(t, client, tool, `{}`, time.Millisecond, false); e.fail.GetKind() != wire.FailureKind_FAILURE_CANCELED || e.err != nil {
			t.Errorf("%s, too late: %+v", tool, e)
		}
	}
	if e := call(t, client, "late", `{}`, time.Minute, false); e.status != 0 || !strings.Contains(e.data, "GET x: ") {
		t.Errorf("a context that is over: %+v", e)
	}
}

// Nobody knows what a panic leaves, so its process serves nothing more; the host
// makes the next call in another one.
func TestAPanicEndsTheProcessForCalls(t *testing.T) {
	client := load(t)
	if e := call(t, client, "panics", `{}`, time.Minute, false); e.fail.GetKind() != wire.FailureKind_FAILURE_TRAP || e.fail.GetMessage() != "panic: on purpose" {
		t.Errorf("%+v", e)
	}
	if e := call(t, client, "fails", `{}`, time.Minute, false); status.Code(e.err) != codes.Aborted {
		t.Errorf("%+v", e)
	}
}

func TestWhatAHostMayNotDo(t *testing.T) {
	client, _ := connect(t)
	if e := call(t, client, "fails", `{}`, 0, false); status.Code(e.err) != codes.FailedPrecondition {
		t.Errorf("a call before Load: %+v", e)
	}
	for name, terms := range map[string]*wire.Terms{
		"transport": {Transport: "ring", Engine: EngineNative, GuestAbi: 1},
		"engine":    {Transport: "grpc", Engine: "wasmer", GuestAbi: 1},
		"abi":       {Transport: "grpc", Engine: EngineNative, GuestAbi: 2},
		"ring":      {Transport: "grpc", Engine: EngineNative, GuestAbi: 1, Lanes: 2},
	} {
		if _, err := client.Settle(t.Context(), terms); status.Code(err) != codes.InvalidArgument {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := client.Load(t.Context(), &wire.LoadRequest{}); err != nil {
		t.Error(err)
	}
	if _, err := client.Load(t.Context(), &wire.LoadRequest{}); status.Code(err) != codes.FailedPrecondition {
		t.Errorf("loaded twice: %v", err)
	}
	stream, err := client.Call(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_ = stream.Send(&wire.HostFrame{Kind: &wire.HostFrame_Start{Start: &wire.CallStart{ArgumentsBytes: MaxArguments + 1}}})
	if _, err := stream.Recv(); status.Code(err) != codes.InvalidArgument {
		t.Errorf("too many arguments: %v", err)
	}
}
