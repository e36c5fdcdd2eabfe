package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ringfence/ringfence/host/internal/transport"
	"github.com/ringfence/ringfence/pluginkit"
	"github.com/ringfence/ringfence/pluginkit/wire"
	"github.com/ringfence/ringfence/shmchan"
)

// A plugin of pluginkit's keeps the contract of transports like a guest, over gRPC
// and over the ring.

var buildNative = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "native")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "native")
	build := exec.Command("go", "build", "-o", path, "./testdata/native")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", errors.New(string(out))
	}
	return path, nil
})

func nativeFactory(t *testing.T) *Factory {
	t.Helper()
	path, err := buildNative()
	if err != nil {
		t.Fatal(err)
	}
	f := factory(t)
	f.Executable = path
	return f
}

func (f *Factory) startNative(t *testing.T, ring Ring, transport string) *box {
	t.Helper()
	s, err := f.Start(t.Context(), Plan{Plugin: "native", Engine: pluginkit.EngineNative, GuestMemory: guestMemory, Session: true, Ring: ring})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Kill)
	if s.TransportName() != transport || (s.Reason() == "") != (transport == "ring") {
		t.Fatalf("calls go over %s, not %s: %s", s.TransportName(), transport, s.Reason())
	}
	return &box{s, t, pluginkit.EngineNative}
}

func eachNativeWay(t *testing.T, test func(t *testing.T, b *box)) {
	for _, way := range ways {
		if way.guest != kitchen { // the ways of one engine are those of none
			continue
		}
		t.Run(way.name, func(t *testing.T) {
			f := nativeFactory(t)
			f.NoRing = way.noRing
			test(t, f.startNative(t, way.ring, way.transport))
		})
	}
}

func (b *box) answers(tool, args, want string) {
	b.t.Helper()
	r, err := b.call(b.t.Context(), tool, []byte(args), &desk{})
	if err != nil || r.Status != transport.StatusOK || string(r.Data) != want {
		b.t.Fatalf("%s: %d %.100q, want %.100q: %v", tool, r.Status, r.Data, want, err)
	}
}

func TestNativeContractEveryByteArrives(t *testing.T) {
	eachNativeWay(t, func(t *testing.T, b *box) {
		for _, n := range []int{0, 1, 1000, 20 << 10, 40 << 10, 70 << 10, 1 << 20, 2<<20 - 100, 2 << 20, 5 << 20, 64 << 20, 10} {
			b.echoes(text(n))
		}
		b.answers("typed", `{"url":"ü"}`, `{"url":"ü"}`)
	})
}

func TestNativeContractStatuses(t *testing.T) {
	eachNativeWay(t, func(t *testing.T, b *box) {
		r, err := b.call(t.Context(), "fail", []byte("{}"), &desk{})
		if err != nil || r.Status != transport.StatusToolFailed || string(r.Data) != "it failed" {
			t.Errorf("%d %q, %v", r.Status, r.Data, err)
		}
		r, err = b.call(t.Context(), "typed", []byte(`{"url":1}`), &desk{})
		if err != nil || r.Status != transport.StatusBadArguments || !strings.Contains(string(r.Data), "url") {
			t.Errorf("%d %q, %v", r.Status, r.Data, err)
		}
	})
}

func TestNativeContractLimitsAreSaidWithBothNumbers(t *testing.T) {
	eachNativeWay(t, func(t *testing.T, b *box) {
		_, err := b.Call(t.Context(), transport.Call{Tool: b.tool("echo"), Arguments: text(1_000_000), MaxResult: 1_000_000}, time.Minute, &desk{})
		var failure *transport.Failure
		if says := fmt.Sprintf("%d bytes (maximum 1000000)", len(text(1_000_000))); !errors.As(err, &failure) || failure.Kind != wire.FailureKind_FAILURE_LIMIT || !strings.Contains(err.Error(), says) {
			t.Errorf("a result over the limit: %v, want %q", err, says)
		}
		b.works()
	})
}

func TestNativeContractNoDeadlockBySize(t *testing.T) {
	eachNativeWay(t, func(t *testing.T, b *box) {
		d := body(64 << 20)
		r, err := b.call(t.Context(), "busy", []byte(`{"url":"https://example.com/`+strings.Repeat("x", 20_000)+`"}`), d)
		if err != nil || string(r.Data) != fmt.Sprintf("%q", fmt.Sprint(64<<20)) {
			t.Fatalf("%q, %v", r.Data, err)
		}
		if len(d.lines) != 1000 || !strings.Contains(d.lines[999], "line 999") {
			t.Errorf("%d lines", len(d.lines))
		}
	})
}

// A native plugin has threads: they ask and log at the same time.
func TestNativeContractSeveralGoroutinesAsk(t *testing.T) {
	eachNativeWay(t, func(t *testing.T, b *box) {
		var mu sync.Mutex
		d := &desk{handle: func(_ context.Context, r *wire.CapabilityRequest) *wire.CapabilityReply {
			mu.Lock()
			defer mu.Unlock()
			return &wire.CapabilityReply{Exists: int(r.GetSecretExists().GetName()[0]-'0')%2 == 0}
		}}
		r, err := b.call(t.Context(), "many", []byte("{}"), d)
		if err != nil || string(r.Data) != "160" || len(d.lines) != 160 {
			t.Errorf("%q, %d lines, %v", r.Data, len(d.lines), err)
		}
	})
}

// What a tool leaves behind can say nothing in the name of a later call.
func TestNativeContractWhatIsLeftBehindIsSilent(t *testing.T) {
	eachNativeWay(t, func(t *testing.T, b *box) {
		for range 20 {
			if _, err := b.call(t.Context(), "late", []byte("{}"), &desk{}); err != nil {
				t.Fatal(err)
			}
			d := &desk{}
			if _, err := b.call(t.Context(), "echo", []byte(`{"a":1}`), d); err != nil || len(d.lines) != 0 {
				t.Fatalf("%q, %v", d.lines, err)
			}
		}
	})
}

func TestNativeContractCancellation(t *testing.T) {
	stop := errors.New("nobody wants it any more")
	eachNativeWay(t, func(t *testing.T, b *box) {
		for range 3 {
			ctx, cancel := context.WithTimeoutCause(t.Context(), 20*time.Millisecond, stop)
			_, err := b.call(ctx, "wait", []byte("{}"), &desk{})
			cancel()
			if !errors.Is(err, stop) {
				t.Errorf("%v", err)
			}
			b.works()
		}
	})
}

// A panic fails its call, and the process serves no other.
func TestNativeContractAPanicWearsTheProcessOut(t *testing.T) {
	eachNativeWay(t, func(t *testing.T, b *box) {
		_, err := b.call(t.Context(), "panic", []byte("{}"), &desk{})
		var failure *transport.Failure
		if !errors.As(err, &failure) || failure.Kind != wire.FailureKind_FAILURE_TRAP || !strings.Contains(failure.Message, "boom") {
			t.Errorf("%v", err)
		}
		if _, err := b.call(t.Context(), "count", []byte("{}"), &desk{}); !errors.Is(err, transport.ErrWorn) {
			t.Errorf("%v", err)
		}
	})
}

func TestNativeContractDeath(t *testing.T) {
	eachNativeWay(t, func(t *testing.T, b *box) {
		d := body(64 << 20)
		serve, n := d.handle, 0
		d.handle = func(ctx context.Context, r *wire.CapabilityRequest) *wire.CapabilityReply {
			if n++; n == 10 {
				b.process.Kill()
			}
			return serve(ctx, r)
		}
		if _, err := b.call(t.Context(), "busy", []byte(`{"url":"https://example.com/"}`), d); !errors.Is(err, ErrDied) {
			t.Errorf("%v", err)
		}
		if b.Idle(t.Context()) {
			t.Error("it is dead, and is said to be idle")
		}
	})
}

// Arguments lie in the host's own memory, which the plugin cannot write to, and a
// result has room where the host reads it.
func TestANativePluginReadsAndWritesTheRingInPlace(t *testing.T) {
	b := nativeFactory(t).startNative(t, Ring{}, "ring")
	b.answers("room", "{}", fmt.Sprint(2<<20))
	if _, err := b.call(t.Context(), "scribble", text(1000), &desk{}); !errors.Is(err, ErrDied) {
		t.Errorf("it wrote to its arguments: %v", err)
	}
	f := nativeFactory(t)
	f.NoRing = true
	f.startNative(t, Ring{}, "grpc").answers("room", "{}", "0")
}

// The rings of a native plugin do not grow while it runs: there is an alert, and the
// next process begins with larger ones.
func TestTheNextProcessOfANativePluginHasALargerRing(t *testing.T) {
	f := nativeFactory(t)
	want := []int64{64 << 10, 128 << 10, 256 << 10, 256 << 10}
	for i, size := range want {
		b := f.startNative(t, Ring{Bytes: 64 << 10, Largest: 256 << 10}, "ring")
		if got := b.Stats().Ring.Lanes[0].Outbound.Size; got != size {
			t.Fatalf("process %d has rings of %d bytes, want %d", i, got, size)
		}
		b.ring.pressure.Fill(shmchan.FillEvent{Level: 90, For: time.Minute})
		b.echoes(text(10))
		says := "next process"
		if i >= 2 {
			says = "262144 bytes"
		}
		if s := b.Stats().Growth; s.Alerts != 1 || s.Grown != 0 || !strings.Contains(b.Crowded(), says) {
			t.Errorf("%+v, %q", s, b.Crowded())
		}
		b.echoes(text(1 << 20))
		b.Kill()
	}
}

// A program that does not know of rings is asked once, and is made no memory for.
func TestAPluginThatKnowsNoRingIsMadeNone(t *testing.T) {
	f := nativeFactory(t)
	b := f.startNative(t, Ring{}, "ring")
	if b.ring == nil || f.rings.none {
		t.Fatal("there is none")
	}
	s := &Sandbox{ring: b.ring, unaware: true}
	f.withoutRing(s)
	if shape, none := f.rings.next(Ring{}.shape()); !none || shape != (Ring{}).shape() {
		t.Errorf("%+v, %t", shape, none)
	}
	later := f.startNative(t, Ring{}, "grpc")
	if !strings.Contains(later.Reason(), "does not offer a ring") || later.ring != nil {
		t.Errorf("%q", later.Reason())
	}
	// One that changes its mind has no way to get the memory any more.
	if r, why := later.sendRing(Plan{}); r != nil || !strings.Contains(why, "without the socket") {
		t.Errorf("%v, %q", r, why)
	}
}

// A system that does not give the memory has calls over gRPC, and says why: here the
// ring has a size that there is not.
func TestWithoutTheMemoryForARingCallsGoOverGRPC(t *testing.T) {
	impossible := Ring{Bytes: 64<<10 + 1}
	for name, b := range map[string]*box{
		"a module":         start(t, kitchen, false, Plan{Session: true, Ring: impossible}, "grpc"),
		"a native program": nativeFactory(t).startNative(t, impossible, "grpc"),
	} {
		if !strings.Contains(b.Reason(), "does not give the memory for it") {
			t.Errorf("%s: %q", name, b.Reason())
		}
		b.works()
	}
}
