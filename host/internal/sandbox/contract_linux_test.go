package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/host/internal/transport"
	"github.com/ringfence/ringfence/pluginkit/ringwire"
	"github.com/ringfence/ringfence/pluginkit/wire"
)

// The tests of this file are the contract of transport.Transport. Each runs over
// every transport, in a real process with a real guest.

func TestContractEveryByteArrives(t *testing.T) {
	random := make([]byte, 20<<20)
	for i := range random {
		random[i] = byte(rand.Uint32()) // not UTF-8, and not JSON
	}
	inline := int(ringwire.ShapeOf(64<<10, time.Second).LargestCall())
	half := int(ringwire.ShapeOf(ringwire.DefaultRing, time.Second).LargestCall())
	eachWay(t, true, func(t *testing.T, b *box) {
		for _, n := range []int{0, 1, 7, 63, 64, 65, 4096, 32 << 10, inline - 1, inline, inline + 1, 64 << 10, 1 << 20, half, half + 1, 4<<20 + 3, len(random)} {
			r, err := b.call(t.Context(), "echo", random[:n], &desk{})
			if err != nil || r.Status != transport.StatusOK || !bytes.Equal(r.Data, random[:n]) {
				t.Fatalf("%d bytes: %d came back with status %d, %v", n, len(r.Data), r.Status, err)
			}
		}
	})
}

func TestContractStatuses(t *testing.T) {
	eachWay(t, true, func(t *testing.T, b *box) {
		for tool, want := range map[string]transport.Result{
			"fail": {Status: transport.StatusToolFailed, Data: []byte("it failed")},
			"bad":  {Status: transport.StatusBadArguments, Data: []byte("bad \xff\x1b arguments")},
		} {
			r, err := b.call(t.Context(), tool, nil, &desk{})
			if err != nil || r.Status != want.Status || !bytes.Equal(r.Data, want.Data) {
				t.Errorf("%s: %d %q, %v", tool, r.Status, r.Data, err)
			}
		}
	})
}

func TestContractAGuestThatEndsIsAFailureAndTheNextCallWorks(t *testing.T) {
	eachWay(t, false, func(t *testing.T, b *box) {
		for _, c := range []struct {
			tool, args string
			kind       wire.FailureKind
			says       string
		}{
			{"panic", "", wire.FailureKind_FAILURE_TRAP, `panic: boom\x1b[31m`},
			{"exit", "", wire.FailureKind_FAILURE_EXIT, "status 0"},
			{"recurse", "", wire.FailureKind_FAILURE_STACK, "stack"},
			{"eat", "", wire.FailureKind_FAILURE_MEMORY, "out of memory"},
		} {
			if c.tool == "recurse" && b.engine == "wazero" {
				// Its stack is larger than what Go's own may grow to in the guest.
				c.kind, c.says = wire.FailureKind_FAILURE_MEMORY, "out of memory"
			}
			_, err := b.call(t.Context(), c.tool, []byte(c.args), &desk{})
			var failure *transport.Failure
			if !errors.As(err, &failure) || failure.Kind != c.kind || !strings.Contains(failure.Message, c.says) {
				t.Errorf("%s: %v, want %v saying %q", c.tool, err, c.kind, c.says)
			}
			b.works()
		}
	})
}

func TestContractLimitsAreSaidWithBothNumbers(t *testing.T) {
	eachWay(t, true, func(t *testing.T, b *box) {
		_, err := b.Call(t.Context(), transport.Call{Tool: b.tool("zeros"), Arguments: []byte("1000001"), MaxResult: 1_000_000}, time.Minute, &desk{})
		var failure *transport.Failure
		if !errors.As(err, &failure) || failure.Kind != wire.FailureKind_FAILURE_LIMIT || !strings.Contains(err.Error(), "1000001 bytes (maximum 1000000)") {
			t.Errorf("a result over the limit: %v", err)
		}
		b.works()
		_, err = b.call(t.Context(), "echo", make([]byte, guestMemory+1), &desk{})
		if !errors.As(err, &failure) || failure.Kind != wire.FailureKind_FAILURE_MEMORY ||
			!strings.Contains(err.Error(), fmt.Sprint(guestMemory+1)) || !strings.Contains(err.Error(), fmt.Sprint(guestMemory)) {
			t.Errorf("arguments over the limit: %v", err)
		}
		b.works()
	})
}

func TestContractLogLinesComeInOrderAndBeforeTheAnswer(t *testing.T) {
	eachWay(t, true, func(t *testing.T, b *box) {
		d := &desk{}
		if _, err := b.call(t.Context(), "print", nil, d); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(d.lines, "|"); got != "to stdout|to stderr, no newline" || d.levels[0] != 1 || d.levels[1] != 2 {
			t.Errorf("%v %q", d.levels, got)
		}
		d = &desk{}
		if _, err := b.call(t.Context(), "say", []byte("\xff\x1b[2J\u202e"), d); err != nil {
			t.Fatal(err)
		}
		if len(d.lines) != 1 || strings.ContainsAny(d.lines[0], "\x1b\u202e") || d.levels[0] != 3 {
			t.Errorf("%q", d.lines)
		}
		d = &desk{}
		if _, err := b.call(t.Context(), "flood", nil, d); err != nil {
			t.Fatal(err)
		}
		if n := len(d.lines); n != 4097 || !strings.Contains(d.lines[n-1], "suppressed") {
			t.Errorf("%d lines", n)
		}
	})
}

// A fault of the host's own, which a guest has found a way to, costs that guest its
// sandbox: the host lives, and says whose fault it was.
func TestContractAPanicOfTheHostEndsTheSandbox(t *testing.T) {
	eachWay(t, true, func(t *testing.T, b *box) {
		d := &desk{log: func(string) { panic("a fault of the host") }}
		_, err := b.call(t.Context(), "print", nil, d)
		if err == nil || !strings.Contains(err.Error(), "the host failed while it served the guest") || strings.Contains(err.Error(), "a fault of the host") {
			t.Errorf("%v", err)
		}
		if b.Idle(t.Context()) {
			t.Error("it is said to be good for another call")
		}
	})
}

func TestContractRequestsAreAnswered(t *testing.T) {
	eachWay(t, true, func(t *testing.T, b *box) {
		d := &desk{handle: func(_ context.Context, r *wire.CapabilityRequest) *wire.CapabilityReply {
			if r.GetSecretExists().GetName() == "known" {
				return &wire.CapabilityReply{Exists: true}
			}
			return &wire.CapabilityReply{Code: wire.Code_CODE_DENIED, Message: "no such thing"}
		}}
		for args, want := range map[string]string{`"known"`: "1", `"other"`: "-1"} {
			r, err := b.call(t.Context(), "secret", []byte(args), d)
			if err != nil || string(r.Data) != want {
				t.Errorf("%s: %q, %v", args, r.Data, err)
			}
		}
		r, err := b.call(t.Context(), "fetch", request("https://example.com/"), d)
		if err != nil || r.Status != transport.StatusToolFailed || string(r.Data) != "-1: no such thing" {
			t.Errorf("a refusal: %q, %v", r.Data, err)
		}
	})
}

// body serves a response of n bytes whose every byte is its offset.
func body(n int) *desk {
	const handle = 1<<62 + 7
	pattern := make([]byte, 1<<20+256)
	for i := range pattern {
		pattern[i] = byte(i)
	}
	return &desk{handle: func(_ context.Context, r *wire.CapabilityRequest) *wire.CapabilityReply {
		read := r.GetBodyRead()
		switch {
		case r.GetHttp() != nil:
			return &wire.CapabilityReply{Handle: handle, Status: 200, BodyBytes: uint64(n)}
		case read.GetHandle() == handle:
			offset := min(int(read.GetOffset()), n)
			length := min(int(read.GetLength()), n-offset)
			return &wire.CapabilityReply{BodyBytes: uint64(n), Data: pattern[offset%256:][:length]}
		}
		return &wire.CapabilityReply{}
	}}
}

// A call keeps its arguments in the ring while it runs. What it asks for
// meanwhile, and is told, has to get past them, however small the ring.
func TestContractNoDeadlockBySize(t *testing.T) {
	eachWay(t, true, func(t *testing.T, b *box) {
		const n = 64 << 20
		d := body(n)
		args := request("https://example.com/" + strings.Repeat("x", 20_000)) // most of a ring of 64 KiB
		r, err := b.call(t.Context(), "busy", args, d)
		sum := byte(0)
		for i := range 256 {
			sum += byte(i)
		}
		sum *= byte(n / 256 % 256)
		if want := fmt.Sprintf("%d %d", n, sum); err != nil || string(r.Data) != want {
			t.Fatalf("%q, want %q: %v", r.Data, want, err)
		}
		if len(d.lines) != 1000 || d.lines[999] != "line 999" {
			t.Errorf("%d lines", len(d.lines))
		}
	})
}

func TestContractLargeRequestsAndResults(t *testing.T) {
	eachWay(t, false, func(t *testing.T, b *box) {
		args := bytes.Repeat([]byte("0123456789abcdef"), 64<<20/16)
		r, err := b.call(t.Context(), "echo", args, &desk{})
		if err != nil || !bytes.Equal(r.Data, args) {
			t.Fatalf("64 MiB: %d bytes came back, %v", len(r.Data), err)
		}
	})
}

func TestContractACancelledCallReturnsAtOnceAndItsSandboxStaysUsable(t *testing.T) {
	stop := errors.New("nobody wants it any more")
	eachWay(t, false, func(t *testing.T, b *box) {
		for name, c := range map[string]struct{ tool, args string }{
			"asleep":             {"sleep", ""},
			"waiting for a host": {"fetch", string(request("https://example.com/"))},
		} {
			ctx, cancel := context.WithCancelCause(t.Context())
			entered, returned := make(chan struct{}), make(chan struct{})
			d := &desk{handle: func(context.Context, *wire.CapabilityRequest) *wire.CapabilityReply {
				close(entered)
				<-returned
				return &wire.CapabilityReply{Code: wire.Code_CODE_CANCELED}
			}}
			if c.tool == "sleep" {
				close(entered) // it may or may not sleep yet; both must end
			}
			go func() {
				<-entered
				cancel(stop)
			}()
			if _, err := b.call(ctx, c.tool, []byte(c.args), d); !errors.Is(err, stop) {
				t.Errorf("%s: %v", name, err)
			}
			close(returned)
			b.works()
		}
	})
}

func TestContractACancelledCallBeforeItsStartDoesNothing(t *testing.T) {
	eachWay(t, true, func(t *testing.T, b *box) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := b.call(ctx, "count", nil, &desk{}); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		b.works()
	})
}

// A guest that computes cannot be stopped from within: the host hears that the
// sandbox is not idle, and kills it.
func TestContractAGuestThatComputesIsNotIdle(t *testing.T) {
	stop := errors.New("its time is over")
	eachWay(t, true, func(t *testing.T, b *box) {
		ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, stop)
		defer cancel()
		if _, err := b.call(ctx, "loop", nil, &desk{}); !errors.Is(err, stop) {
			t.Fatalf("%v", err)
		}
		short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if b.Idle(short) {
			t.Error("it loops, and is said to be idle")
		}
		b.Kill()
		if b.Idle(t.Context()) {
			t.Error("it is dead, and is said to be idle")
		}
	})
}

func TestContractADeadlineEndsASleepWithTheHostsOwnReason(t *testing.T) {
	stop := errors.New("its time is over")
	eachWay(t, false, func(t *testing.T, b *box) {
		ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, stop)
		defer cancel()
		if _, err := b.call(ctx, "sleep", nil, &desk{}); !errors.Is(err, stop) {
			t.Fatalf("%v", err)
		}
		b.works()
	})
}

func TestContractDeathAtEveryStep(t *testing.T) {
	for step, act := range map[string]func(b *box) error{
		"before a call": func(b *box) error {
			b.process.Kill()
			_, err := b.call(b.t.Context(), "echo", []byte("1"), &desk{})
			return err
		},
		"while it is asked": func(b *box) error {
			_, err := b.call(b.t.Context(), "fetch", request("https://example.com/"), &desk{handle: func(context.Context, *wire.CapabilityRequest) *wire.CapabilityReply {
				b.process.Kill()
				return &wire.CapabilityReply{}
			}})
			return err
		},
		"while it pulls a body": func(b *box) error {
			d := body(64 << 20)
			serve, n := d.handle, 0
			d.handle = func(ctx context.Context, r *wire.CapabilityRequest) *wire.CapabilityReply {
				if n++; n == 10 {
					b.process.Kill()
				}
				return serve(ctx, r)
			}
			_, err := b.call(b.t.Context(), "busy", request("https://example.com/"), d)
			return err
		},
		"while it logs": func(b *box) error {
			_, err := b.call(b.t.Context(), "flood", nil, &desk{log: func(string) { b.process.Kill() }})
			return err
		},
		"while it computes": func(b *box) error {
			time.AfterFunc(20*time.Millisecond, b.process.Kill)
			_, err := b.call(b.t.Context(), "loop", nil, &desk{})
			return err
		},
	} {
		t.Run(step, func(t *testing.T) {
			eachWay(t, false, func(t *testing.T, b *box) {
				if err := act(b); !errors.Is(err, ErrDied) {
					t.Errorf("%v", err)
				}
				if b.Idle(t.Context()) {
					t.Error("it is dead, and is said to be idle")
				}
			})
		})
	}
}

// Wherever a large call is when the process dies, it ends, with its result or
// with the death.
func TestContractDeathInTheMiddleOfALargeCall(t *testing.T) {
	args := bytes.Repeat([]byte("x"), 8<<20)
	for n := range 6 {
		eachWay(t, false, func(t *testing.T, b *box) {
			time.AfterFunc(time.Duration(n)*4*time.Millisecond, b.process.Kill)
			r, err := b.call(t.Context(), "echo", args, &desk{})
			if err == nil && !bytes.Equal(r.Data, args) || err != nil && !errors.Is(err, ErrDied) {
				t.Errorf("%d bytes, %v", len(r.Data), err)
			}
		})
	}
}
