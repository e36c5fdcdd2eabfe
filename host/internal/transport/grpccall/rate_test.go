package grpccall

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"golang.org/x/time/rate"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/ringfence/ringfence/host/internal/transport"
	"github.com/ringfence/ringfence/pluginkit/wire"
)

// repeated is a frame that has its log record that often: the last one is all that it
// decodes to.
func repeated(times, bytesEach int) *wire.SandboxFrame {
	record := protowire.AppendBytes(protowire.AppendTag(nil, 2, protowire.BytesType), bytes.Repeat([]byte("x"), bytesEach))
	var raw []byte
	for range times {
		raw = protowire.AppendBytes(protowire.AppendTag(raw, 2, protowire.BytesType), record)
	}
	f := &wire.SandboxFrame{}
	f.ProtoReflect().SetUnknown(raw)
	return f
}

// A plugin pays for the bytes that it sends, not for what is left of them.
func TestAFrameCostsTheBytesThatItCameIn(t *testing.T) {
	tr := serve(t, func(s stream) error {
		if _, err := drain(s); err != nil {
			return err
		}
		return send(s, repeated(900, 1000), head(0, 2), data("{}"))
	})
	const burst = 1 << 20
	tr.taken = rate.NewLimiter(1, burst) // so slow that nothing comes back
	c := &caps{}
	if _, err := tr.Call(t.Context(), transport.Call{Arguments: []byte("{}"), MaxResult: 10}, c); err != nil {
		t.Fatal(err)
	}
	if left := tr.taken.Tokens(); left > burst-900_000 || len(c.logged) != 1 {
		t.Errorf("a frame of 900 kB and %d lines cost %.0f bytes", len(c.logged), burst-left)
	}
}

// A call whose sandbox has to wait for its rate ends when its caller leaves, and the
// wait when the connection does.
func TestTheRateHoldsUpNobodyWhoLeaves(t *testing.T) {
	calls := make(chan struct{})
	var tr *Transport
	t.Cleanup(func() { // after serve has closed the connection
		if tr.Idle(context.Background()) {
			t.Error("a call that was cut off ended as agreed")
		}
	})
	tr = serve(t, func(s stream) error {
		if _, err := drain(s); err != nil {
			return err
		}
		if err := send(s, repeated(900, 1000)); err != nil {
			return err
		}
		close(calls)
		<-s.Context().Done()
		return s.Context().Err()
	})
	tr.taken = rate.NewLimiter(1, 1000) // a quarter of an hour for the frame
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := tr.Call(ctx, transport.Call{Arguments: []byte("{}")}, &caps{})
		ended <- err
	}()
	<-calls
	cancel()
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the call outlives its caller")
	}
}
