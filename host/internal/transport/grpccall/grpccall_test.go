package grpccall

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/ringfence/ringfence/host/internal/transport"
	"github.com/ringfence/ringfence/pluginkit"
	"github.com/ringfence/ringfence/pluginkit/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type stream = grpc.BidiStreamingServer[wire.HostFrame, wire.SandboxFrame]

// sandbox answers calls in whatever way a test wants, on a real socket.
type sandbox struct {
	wire.UnimplementedSandboxServer
	call func(stream) error
}

func (s *sandbox) Call(st stream) error { return s.call(st) }

// serve connects a transport to a sandbox that behaves as call does.
func serve(t *testing.T, call func(stream) error) *Transport {
	t.Helper()
	listener, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	wire.RegisterSandboxServer(server, &sandbox{call: call})
	go server.Serve(listener)
	conn, err := grpc.NewClient("unix:"+listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(pluginkit.MaxMessage)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		server.Stop()
	})
	return New(conn, 0)
}

// caps records what a guest asked for.
type caps struct {
	logged  []string
	handled int
}

func (c *caps) Handle(_ context.Context, r *wire.CapabilityRequest) *wire.CapabilityReply {
	c.handled++
	return &wire.CapabilityReply{Id: r.GetId(), Exists: true}
}
func (c *caps) Log(_ int32, message string) { c.logged = append(c.logged, message) }

func send(s stream, frames ...*wire.SandboxFrame) error {
	for _, f := range frames {
		if err := s.Send(f); err != nil {
			return err
		}
	}
	return nil
}

func head(status uint32, n uint64) *wire.SandboxFrame {
	return &wire.SandboxFrame{Kind: &wire.SandboxFrame_Result{Result: &wire.ResultHead{Status: status, ResultBytes: n}}}
}

func data(b string) *wire.SandboxFrame {
	return &wire.SandboxFrame{Kind: &wire.SandboxFrame_Data{Data: []byte(b)}}
}

func logLine(s string) *wire.SandboxFrame {
	return &wire.SandboxFrame{Kind: &wire.SandboxFrame_Log{Log: &wire.LogRecord{Message: s}}}
}

// drain reads the arguments as an honest sandbox does.
func drain(s stream) ([]byte, error) {
	first, err := s.Recv()
	if err != nil {
		return nil, err
	}
	var got []byte
	for uint64(len(got)) < first.GetStart().GetArgumentsBytes() {
		f, err := s.Recv()
		if err != nil {
			return nil, err
		}
		got = append(got, f.GetArguments()...)
	}
	return got, nil
}

func TestACallCarriesArgumentsRequestsLogsAndResult(t *testing.T) {
	arguments := bytes.Repeat([]byte("0123456789abcdef"), 300_000) // 4.8 MB: several pieces
	tr := serve(t, func(s stream) error {
		got, err := drain(s)
		if err != nil {
			return err
		}
		request := &wire.SandboxFrame{Kind: &wire.SandboxFrame_Request{Request: &wire.CapabilityRequest{Id: 7}}}
		if err := send(s, logLine("a\x1b[2Jb"), request); err != nil {
			return err
		}
		if reply, err := s.Recv(); err != nil || reply.GetReply().GetId() != 7 {
			return errors.New("no reply")
		}
		if err := s.Send(head(0, uint64(len(got)))); err != nil {
			return err
		}
		for ; len(got) > 0; got = got[min(len(got), 1<<20):] {
			if err := s.Send(data(string(got[:min(len(got), 1<<20)]))); err != nil {
				return err
			}
		}
		return nil
	})
	for range 3 { // one call after another on one connection
		c := &caps{}
		r, err := tr.Call(t.Context(), transport.Call{Arguments: arguments, MaxResult: 8 << 20}, c)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(r.Data, arguments) || c.handled != 1 || len(c.logged) != 1 || c.logged[0] != `a\x1b[2Jb` {
			t.Fatalf("%d bytes, %d requests, log %q", len(r.Data), c.handled, c.logged)
		}
	}
}

func TestASandboxThatBreaksTheProtocol(t *testing.T) {
	for name, tt := range map[string]struct {
		call func(stream) error
		want error
		says string
	}{
		"more than declared":  {func(s stream) error { return send(s, head(0, 3), data("four")) }, transport.ErrProtocol, "declared as 3"},
		"an empty piece":      {func(s stream) error { return send(s, head(0, 3), data("")) }, transport.ErrProtocol, "empty"},
		"a log in a result":   {func(s stream) error { return send(s, head(0, 3), logLine("x")) }, transport.ErrProtocol, "inside a result"},
		"two heads":           {func(s stream) error { return send(s, head(0, 3), head(0, 3)) }, transport.ErrProtocol, "inside a result"},
		"data without a head": {func(s stream) error { return send(s, data("x")) }, transport.ErrProtocol, "before the result"},
		"an empty frame":      {func(s stream) error { return send(s, &wire.SandboxFrame{}) }, transport.ErrProtocol, "before the result"},
		"unknown status":      {func(s stream) error { return send(s, head(77, 0)) }, transport.ErrProtocol, "status 77 (maximum 2)"},
		"ends early":          {func(stream) error { return nil }, transport.ErrLost, ""},
		"ends in a result":    {func(s stream) error { return send(s, head(0, 10), data("x")) }, transport.ErrLost, ""},
		"an error with escapes": {func(stream) error { return errors.New("\x1b[2J" + strings.Repeat("x", 5000)) },
			transport.ErrLost, `\x1b[2J`},
		"worn out":               {func(stream) error { return status.Error(codes.Aborted, "") }, transport.ErrWorn, ""},
		"worn out after a frame": {func(s stream) error { send(s, logLine("x")); return status.Error(codes.Aborted, "") }, transport.ErrLost, ""},
		"a huge message": {func(s stream) error { return send(s, head(0, 64<<20), data(strings.Repeat("x", 8<<20))) },
			transport.ErrLost, "ResourceExhausted"},
	} {
		t.Run(name, func(t *testing.T) {
			tr := serve(t, tt.call)
			_, err := tr.Call(t.Context(), transport.Call{Arguments: []byte("{}"), MaxResult: 1 << 30}, &caps{})
			if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.says) || len(err.Error()) > 1000 {
				t.Fatalf("got %v, want %v saying %q", err, tt.want, tt.says)
			}
			if ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second); tr.Idle(ctx) {
				cancel()
				t.Fatal("a sandbox that broke the protocol is called idle")
			} else {
				cancel()
			}
		})
	}
}

func TestADeclaredLengthGrantsNoMemory(t *testing.T) {
	tr := serve(t, func(s stream) error { return send(s, head(0, 1<<40)) })
	_, err := tr.Call(t.Context(), transport.Call{Arguments: []byte("{}"), MaxResult: 1 << 20}, &caps{})
	var failure *transport.Failure
	if !errors.As(err, &failure) || failure.Kind != wire.FailureKind_FAILURE_LIMIT || !strings.Contains(err.Error(), "1099511627776 bytes (maximum 1048576)") {
		t.Fatalf("got %v", err)
	}
}

func TestAFailureIsBoundedAndPrintable(t *testing.T) {
	tr := serve(t, func(s stream) error {
		return send(s, &wire.SandboxFrame{Kind: &wire.SandboxFrame_Failure{Failure: &wire.Failure{
			Kind: wire.FailureKind_FAILURE_TRAP, Message: "\x1b]0;x\x07\n" + strings.Repeat("y", 100_000)}}})
	})
	_, err := tr.Call(t.Context(), transport.Call{Arguments: []byte("{}")}, &caps{})
	var failure *transport.Failure
	if !errors.As(err, &failure) || len(err.Error()) > pluginkit.MaxFailure || strings.ContainsAny(err.Error(), "\x1b\n\x07") {
		t.Fatalf("got %.200q", err)
	}
}

func TestASandboxThatNeverAnswersFailsAtTheDeadline(t *testing.T) {
	for name, call := range map[string]func(stream) error{
		"reads nothing":      func(s stream) error { <-s.Context().Done(); return s.Context().Err() },
		"reads and is quiet": func(s stream) error { drain(s); <-s.Context().Done(); return s.Context().Err() },
		"logs for ever": func(s stream) error {
			for {
				if err := s.Send(logLine("x")); err != nil {
					return err
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			tr := serve(t, call)
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			// More than the connection's buffers hold, so that sending blocks.
			_, err := tr.Call(ctx, transport.Call{Arguments: make([]byte, 8<<20)}, &caps{})
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("got %v", err)
			}
			if idle, stop := context.WithTimeout(t.Context(), 50*time.Millisecond); tr.Idle(idle) {
				stop()
				t.Fatal("a busy sandbox is called idle")
			} else {
				stop()
			}
		})
	}
}

func TestACancelledSandboxThatEndsInTimeCanBeUsedAgain(t *testing.T) {
	calls := 0
	tr := serve(t, func(s stream) error {
		if _, err := drain(s); err != nil {
			return err
		}
		if calls++; calls > 1 {
			return send(s, head(0, 2), data("{}"))
		}
		for {
			frame, err := s.Recv()
			if err != nil {
				return err
			}
			if frame.GetCancel() != nil {
				return send(s, &wire.SandboxFrame{Kind: &wire.SandboxFrame_Failure{Failure: &wire.Failure{Kind: wire.FailureKind_FAILURE_CANCELED}}})
			}
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err := tr.Call(ctx, transport.Call{Arguments: []byte("{}"), MaxResult: 10}, &caps{}); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	if !tr.Idle(t.Context()) {
		t.Fatal("it ended as agreed, and is not idle")
	}
	if r, err := tr.Call(t.Context(), transport.Call{Arguments: []byte("{}"), MaxResult: 10}, &caps{}); err != nil || string(r.Data) != "{}" {
		t.Fatalf("got %v, %v", r, err)
	}
}

// The sandbox watches the deadline, too. When it is the first to notice, the call
// has still timed out, and was not cancelled by anybody.
func TestASandboxThatSaysCancelledIsAskedForTheHostsReason(t *testing.T) {
	late := errors.New("call_timeout = 50ms")
	for name, tt := range map[string]struct {
		wait time.Duration
		want error
	}{
		"at the deadline":   {50 * time.Millisecond, late},
		"though nobody had": {time.Hour, transport.ErrProtocol},
	} {
		t.Run(name, func(t *testing.T) {
			tr := serve(t, func(s stream) error {
				if _, err := drain(s); err != nil {
					return err
				}
				if tt.wait < time.Minute {
					<-time.After(tt.wait)
				}
				return send(s, &wire.SandboxFrame{Kind: &wire.SandboxFrame_Failure{Failure: &wire.Failure{Kind: wire.FailureKind_FAILURE_CANCELED}}})
			})
			ctx, cancel := context.WithTimeoutCause(t.Context(), tt.wait, late)
			defer cancel()
			if _, err := tr.Call(ctx, transport.Call{Arguments: []byte("{}"), MaxResult: 10}, &caps{}); !errors.Is(err, tt.want) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
		})
	}
}

func TestAnAnswerDoesNotWaitForTheStreamToEnd(t *testing.T) {
	release := make(chan struct{})
	tr := serve(t, func(s stream) error {
		if _, err := drain(s); err != nil {
			return err
		}
		if err := send(s, head(0, 2), data("{}")); err != nil {
			return err
		}
		<-release // keeps the stream open after the last frame
		return io.EOF
	})
	r, err := tr.Call(t.Context(), transport.Call{Arguments: []byte("{}"), MaxResult: 10}, &caps{})
	if err != nil || string(r.Data) != "{}" {
		t.Fatalf("got %v, %v", r, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if tr.Idle(ctx) {
		t.Fatal("the sandbox is busy, and called idle")
	}
	close(release)
}
