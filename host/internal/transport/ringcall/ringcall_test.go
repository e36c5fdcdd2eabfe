package ringcall

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/ringfence/ringfence/host/internal/transport"
	"github.com/ringfence/ringfence/pluginkit/ringserve"
	"github.com/ringfence/ringfence/pluginkit/wire"
)

func TestEcho(t *testing.T) {
	tr := honest(t, 64<<10, echo{})
	for _, n := range []int{0, 1, 1000, 32<<10 - 64, 32<<10 - 63, 64 << 10, 1 << 20} {
		args := bytes.Repeat([]byte{0xff}, n)
		r, err := tr.Call(t.Context(), transport.Call{Tool: 1, Arguments: args, MaxResult: 1 << 20}, &testDesk{})
		if err != nil || r.Status != transport.StatusToolFailed || !bytes.Equal(r.Data, args) {
			t.Fatalf("%d bytes: %d came back, %v", n, len(r.Data), err)
		}
	}
}

// handlerFunc is a handler of a test.
type handlerFunc func(*ringserve.Call)

func (f handlerFunc) Call(c *ringserve.Call) { f(c) }

// A handler that forgets to answer does not leave its caller waiting.
func TestACallThatIsNotAnswered(t *testing.T) {
	tr := honest(t, 64<<10, handlerFunc(func(*ringserve.Call) {}))
	_, err := (&testDesk{}).call(t, tr, nil)
	var failure *transport.Failure
	if !errors.As(err, &failure) || failure.Kind != wire.FailureKind_FAILURE_INTERNAL {
		t.Errorf("%v", err)
	}
}

// The lanes are not in step: a Cancel may be read before the Call that it is for.
func TestACancelIsNeverLost(t *testing.T) {
	tr := honest(t, 64<<10, handlerFunc(func(c *ringserve.Call) {
		<-c.Context().Done()
		_ = c.Fail(&wire.Failure{Kind: wire.FailureKind_FAILURE_CANCELED})
	}))
	stop := errors.New("stop")
	for range 500 {
		ctx, cancel := context.WithCancelCause(t.Context())
		go cancel(stop)
		if _, err := tr.Call(ctx, transport.Call{}, &testDesk{}); !errors.Is(err, stop) {
			t.Fatal(err)
		}
		wait, cancelWait := context.WithTimeout(t.Context(), patience)
		if !tr.Idle(wait) {
			t.Fatal("the call does not end")
		}
		cancelWait()
	}
}

// A call that asks for nothing costs the host what it keeps of it: the call
// itself and the result.
func TestACallAllocatesLittle(t *testing.T) {
	tr := honest(t, 64<<10, echo{})
	args, ctx, d := []byte("0123456789abcdef"), t.Context(), &testDesk{}
	n := testing.AllocsPerRun(1000, func() {
		if _, err := tr.Call(ctx, transport.Call{Arguments: args, MaxResult: 100}, d); err != nil {
			t.Fatal(err)
		}
	})
	// Both ends are in this process: two a side, and the echo's own two.
	if n > 7 {
		t.Errorf("%v allocations a call", n)
	}
}

func BenchmarkCall(b *testing.B) {
	for _, size := range []int{64, 4 << 10, 1 << 20} {
		b.Run(map[int]string{64: "64B", 4 << 10: "4KiB", 1 << 20: "1MiB"}[size], func(b *testing.B) {
			tr := honest(b, 4<<20, echo{})
			args, d := make([]byte, size), &testDesk{}
			b.SetBytes(int64(size))
			for b.Loop() {
				if _, err := tr.Call(b.Context(), transport.Call{Arguments: args, MaxResult: 2 << 20}, d); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
