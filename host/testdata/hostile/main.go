// Command hostile stands in for ringfence-plugin-wasm after its guest has taken
// it over: native code that speaks the host's protocol and means harm. What it
// does in a call is the tool that is called; what it does before that is written
// behind the end of its own executable.
package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/ringfence/ringfence/internal/seccomp"
	"github.com/ringfence/ringfence/pluginkit"
	"github.com/ringfence/ringfence/pluginkit/ringwire"
	"github.com/ringfence/ringfence/pluginkit/wire"
)

type (
	stream = grpc.BidiStreamingServer[wire.HostFrame, wire.SandboxFrame]
	frame  = wire.SandboxFrame
)

var escapes = "\x1b[2J\x1b]0;owned\x07\r\nringfence: forged line\u202e" + strings.Repeat("x", 6<<10)

func main() {
	exe, err := os.ReadFile("/" + os.Args[0]) // its root has no /proc
	if err != nil {
		panic(err)
	}
	_, way, _ := bytes.Cut(exe[max(0, len(exe)-512):], []byte("way="))
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: pluginkit.Handshake,
		Plugins:         plugin.PluginSet{pluginkit.ServiceName: &served{s: &sandbox{way: string(way), second: marked()}}},
		GRPCServer:      plugin.DefaultGRPCServer,
		Logger:          hclog.NewNullLogger(),
	})
}

type served struct {
	plugin.NetRPCUnsupportedPlugin
	s *sandbox
}

func (*served) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, nil
}

func (p *served) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	if err := confine(p.s.way, seccomp.One); err != nil {
		return err
	}
	wire.RegisterSandboxServer(s, p.s)
	return nil
}

type sandbox struct {
	wire.UnimplementedSandboxServer
	way    string
	second bool // somebody has been here before, and left a mark
	calls  atomic.Int32
}

// marked looks for a mark that the test leaves: one sandbox has no way to tell
// the next one anything.
func marked() bool {
	_, err := os.Stat("/mark")
	return err == nil
}

func (s *sandbox) Negotiate(context.Context, *wire.Offer) (*wire.Offer, error) {
	offer := &wire.Offer{Transports: []string{"grpc"}, Engines: []string{"wasmer"}, GuestAbis: []uint32{1}}
	switch s.way {
	case "offer of many":
		offer.Transports = strings.Split(strings.Repeat(escapes[:16]+",", 100_000), ",")
	case "offer of many engines":
		offer.Engines = strings.Split(strings.Repeat("x,", 1_000_000), ",")
	case "error text":
		return nil, status.Error(codes.Internal, escapes)
	case "no offer":
		time.Sleep(time.Hour)
	case "no negotiation":
		return nil, status.Error(codes.Unimplemented, escapes)
	}
	s.offerRing(offer)
	return offer, nil
}

// offerRing offers what the host has, but for one thing.
func (s *sandbox) offerRing(offer *wire.Offer) {
	if !strings.HasPrefix(s.way, "ring ") {
		return
	}
	offer.Transports = append(offer.Transports, "ring")
	offer.LayoutVersions, offer.PageSize = []uint32{ringwire.Layout}, uint64(os.Getpagesize())
	offer.MaxRingBytes, offer.MaxLanes = 1<<30, 2
	switch s.way {
	case "ring of another layout":
		offer.LayoutVersions = []uint32{ringwire.Layout - 1, ringwire.Layout + 1}
	case "ring of other pages":
		offer.PageSize = 64 << 10
	case "ring that is small":
		offer.MaxRingBytes = 64 << 10
	case "ring of one lane":
		offer.MaxLanes = 1
	}
}

func (s *sandbox) Settle(_ context.Context, terms *wire.Terms) (*wire.Terms, error) {
	isRing := terms.Transport == "ring"
	switch {
	case s.way == "other terms":
		terms.Engine = escapes
	case s.way == "ring refused" && isRing:
		return nil, status.Error(codes.FailedPrecondition, escapes)
	case s.way == "ring broken" && isRing:
		return nil, status.Error(codes.Internal, escapes)
	case s.way == "ring of later" && isRing:
		return nil, status.Error(codes.Unimplemented, escapes)
	case s.way == "ring of other terms" && isRing:
		terms.RingBytes = 64 << 10
	}
	return terms, nil
}

func (s *sandbox) Compile(_ *wire.CompileRequest, out grpc.ServerStreamingServer[wire.CompileChunk]) error {
	progress := func(text string) error {
		return out.Send(&wire.CompileChunk{Kind: &wire.CompileChunk_Progress{Progress: &wire.CompileProgress{Phase: text}}})
	}
	data := func(b []byte) error {
		return out.Send(&wire.CompileChunk{Kind: &wire.CompileChunk_Data{Data: b}})
	}
	var err error
	switch s.way {
	case "endless progress":
		for err == nil {
			err = progress(escapes)
		}
	case "endless nothing":
		for err == nil {
			err = data(nil)
		}
	case "a failure with escapes":
		return out.Send(&wire.CompileChunk{Kind: &wire.CompileChunk_Failure{Failure: &wire.Failure{Kind: 99, Message: escapes}}})
	default:
		return data([]byte("compiled"))
	}
	return err
}

// tools are the ways to misbehave in a call.
var tools = []struct {
	name string
	call func(stream) error
}{
	{"eat", ends(func() { eat() })},
	{"segfault", ends(func() { _ = unix.Tgkill(unix.Getpid(), unix.Gettid(), unix.SIGSEGV) })},
	{"leave", ends(func() { os.Exit(9) })},
	{"open_a_socket", ends(func() { _, _ = unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0) })},
	{"make_code", ends(func() { _, _ = unix.Mmap(-1, 0, 4096, unix.PROT_EXEC, unix.MAP_PRIVATE|unix.MAP_ANON) })},
	{"sleep", ends(func() {})},
	{"burn", ends(func() { spin() })},
	{"fork", ends(func() { bomb() })},
	{"burn_afterwards", func(s stream) error {
		if err := drain(s); err != nil {
			return err
		}
		go spin()
		return answer(s, `{}`)
	}},
	{"good", func(s stream) error {
		if err := drain(s); err != nil {
			return err
		}
		return answer(s, `{}`)
	}},
	{"early", func(s stream) error { return answer(s, `{}`) }},
	{"log_storm", func(s stream) error { return forever(s, logged(strings.Repeat("x", 16<<10))) }},
	{"log_huge", func(s stream) error { return forever(s, logged(strings.Repeat("\x1b", 4<<20-64))) }},
	{"log_nothing", func(s stream) error { return forever(s, logged("")) }},
	{"request_nothing", func(s stream) error { return ask(s, &wire.CapabilityRequest{}) }},
	{"read_nothing", func(s stream) error {
		return ask(s, &wire.CapabilityRequest{Op: &wire.CapabilityRequest_BodyRead{BodyRead: &wire.BodyRead{Handle: 1, Offset: 1 << 63, Length: 1 << 20}}})
	}},
	{"secret_storm", func(s stream) error {
		return ask(s, &wire.CapabilityRequest{Op: &wire.CapabilityRequest_SecretExists{SecretExists: &wire.SecretExists{Name: escapes[:200]}}})
	}},
	{"header_storm", func(s stream) error {
		r := &wire.HttpRequest{Method: "GET", Url: "http://127.0.0.1:1/" + escapes}
		for range 400_000 {
			r.Headers = append(r.Headers, &wire.Header{Name: "a"})
		}
		return ask(s, &wire.CapabilityRequest{Op: &wire.CapabilityRequest_Http{Http: r}})
	}},
	{"worn_later", func(s stream) error { // a call that did something must not be done twice
		if err := s.Send(logged("something")); err != nil {
			return err
		}
		return status.Error(codes.Aborted, "worn")
	}},
	{"denied_method", denied(&wire.HttpRequest{Method: escapes, Url: "http://127.0.0.1:1/"})},
	{"denied_url", denied(&wire.HttpRequest{Method: "GET", Url: "http://127.0.0.1:1/" + escapes})},
	{"denied_host", denied(&wire.HttpRequest{Method: "GET", Url: "http://a\u202e\u009b2J" + strings.Repeat("\u0085", 300) + "/"})},
	{"denied_scheme", denied(&wire.HttpRequest{Method: "GET", Url: "\u202e\u009b2J://x/"})},
	{"denied_path", denied(&wire.HttpRequest{Method: "GET", Url: "http://127.0.0.1:1/\u202e\u009b2J%zz"})},
	{"denied_header", denied(&wire.HttpRequest{Method: "GET", Url: "http://127.0.0.1:1/", Headers: []*wire.Header{{Name: escapes, Value: escapes}}})},
	{"deaf", func(s stream) error { // asks, and takes no reply
		return forever(s, &frame{Kind: &wire.SandboxFrame_Request{Request: &wire.CapabilityRequest{Op: &wire.CapabilityRequest_Http{Http: &wire.HttpRequest{Url: strings.Repeat("x", 1000)}}}}})
	}},
	{"drip", func(s stream) error {
		for {
			if err := s.Send(logged("still here")); err != nil {
				return err
			}
			time.Sleep(20 * time.Millisecond)
		}
	}},
	{"bytewise", func(s stream) error {
		if err := s.Send(head(64 << 20)); err != nil {
			return err
		}
		return forever(s, piece("x"))
	}},
	{"after_the_end", func(s stream) error {
		if err := answer(s, `{}`); err != nil {
			return err
		}
		return forever(s, piece(strings.Repeat("x", 1<<20)))
	}},
	{"stays_open", func(s stream) error {
		if err := answer(s, `{}`); err != nil {
			return err
		}
		time.Sleep(time.Hour)
		return nil
	}},
	{"error_text", func(stream) error { return status.Error(codes.DeadlineExceeded, escapes) }},
	{"failure_text", func(s stream) error {
		return s.Send(&frame{Kind: &wire.SandboxFrame_Failure{Failure: &wire.Failure{Kind: -7, Message: escapes}}})
	}},
	{"failed_text", func(s stream) error {
		if err := s.Send(&frame{Kind: &wire.SandboxFrame_Result{Result: &wire.ResultHead{Status: 1, ResultBytes: uint64(len(escapes))}}}); err != nil {
			return err
		}
		return s.Send(piece(escapes))
	}},
	{"not_json", func(s stream) error { return answer(s, escapes) }},
	{"not_utf8", func(s stream) error { return answer(s, "\"\x9b2J\xff\"") }},
	{"twice", func(s stream) error { return answer(s, `{"a":1,"a":{"b":2}}`) }},
	{"deep", func(s stream) error { return answer(s, strings.Repeat("[", 1<<20)+strings.Repeat("]", 1<<20)) }},
}

func (s *sandbox) Load(context.Context, *wire.LoadRequest) (*wire.LoadResponse, error) {
	if err := confine(s.way, seccomp.Two); err != nil {
		return nil, err
	}
	manifest := `{"tools":[`
	for i, t := range tools {
		if i > 0 {
			manifest += ","
		}
		manifest += fmt.Sprintf(`{"name":%q,"input_schema":{}}`, t.name)
	}
	switch s.way {
	case "a failure to load":
		return &wire.LoadResponse{Failure: &wire.Failure{Kind: wire.FailureKind_FAILURE_ABI, Message: escapes}}, nil
	case "no manifest":
		return &wire.LoadResponse{Manifest: []byte(escapes)}, nil
	}
	if s.way == "other tools each time" {
		manifest += fmt.Sprintf(`,{"name":"t%d","input_schema":{}}`, rand.Uint64())
	}
	return &wire.LoadResponse{Manifest: []byte(manifest + "]}")}, nil
}

func (s *sandbox) Call(st stream) error {
	first, err := st.Recv()
	if err != nil {
		return err
	}
	if s.way == "worn once" && !s.second && s.calls.Add(1) > 1 {
		return status.Error(codes.Aborted, escapes)
	}
	if s.way == "worn for ever" {
		return status.Error(codes.Aborted, escapes)
	}
	return tools[first.GetStart().GetTool()].call(st)
}

// denied makes one request and blames the denial for failing.
func denied(r *wire.HttpRequest) func(stream) error {
	return func(s stream) error {
		if err := drain(s); err != nil {
			return err
		}
		if err := s.Send(&frame{Kind: &wire.SandboxFrame_Request{Request: &wire.CapabilityRequest{Op: &wire.CapabilityRequest_Http{Http: r}}}}); err != nil {
			return err
		}
		if _, err := s.Recv(); err != nil {
			return err
		}
		if err := s.Send(&frame{Kind: &wire.SandboxFrame_Result{Result: &wire.ResultHead{Status: 1}}}); err != nil {
			return err
		}
		return nil
	}
}

func drain(s stream) error {
	for {
		f, err := s.Recv()
		if err != nil {
			return err
		}
		if bytes.HasSuffix(f.GetArguments(), []byte("}")) {
			return nil
		}
	}
}

func answer(s stream, result string) error {
	if err := s.Send(head(uint64(len(result)))); err != nil {
		return err
	}
	for len(result) > 0 {
		n := min(len(result), 1<<20)
		if err := s.Send(piece(result[:n])); err != nil {
			return err
		}
		result = result[n:]
	}
	return nil
}

func forever(s stream, f *frame) error {
	for {
		if err := s.Send(f); err != nil {
			return err
		}
	}
}

func ask(s stream, r *wire.CapabilityRequest) error {
	go func() {
		for {
			if _, err := s.Recv(); err != nil {
				return
			}
		}
	}()
	return forever(s, &frame{Kind: &wire.SandboxFrame_Request{Request: r}})
}

func logged(text string) *frame {
	return &frame{Kind: &wire.SandboxFrame_Log{Log: &wire.LogRecord{Level: -5, Message: text}}}
}

func head(n uint64) *frame {
	return &frame{Kind: &wire.SandboxFrame_Result{Result: &wire.ResultHead{ResultBytes: n}}}
}

func piece(b string) *frame {
	return &frame{Kind: &wire.SandboxFrame_Data{Data: []byte(b)}}
}
