package guestctx_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/ringfence/ringfence/pluginkit/guest/guestctx"
	"github.com/ringfence/ringfence/pluginkit/guest/guesttest"
)

// A tool that stops in time answers with what it has.
func Example() {
	host := &guesttest.Host{Deadline: time.Now().Add(20 * time.Millisecond)}
	defer host.Start()()

	ctx, cancel := guestctx.New()
	defer cancel()
	done := 0
	for ctx.Err() == nil { // for as long as there is time
		done++
	}
	fmt.Println(done > 0, ctx.Err())
	// Output: true context deadline exceeded
}

// Err is right where no timer has had a chance to run.
func TestErrNeedsNoTimer(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	(&guesttest.Host{Deadline: time.Now().Add(time.Millisecond)}).Use(t)
	ctx, cancel := guestctx.New()
	defer cancel()
	end, ok := ctx.Deadline()
	if !ok {
		t.Fatal("no deadline")
	}
	for time.Now().Before(end) { // computing
	}
	if err := ctx.Err(); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	<-ctx.Done()
}

func TestACallWithoutEndHasNone(t *testing.T) {
	(&guesttest.Host{}).Use(t)
	ctx, cancel := guestctx.New()
	if _, ok := ctx.Deadline(); ok || ctx.Err() != nil {
		t.Errorf("%v, %v", ok, ctx.Err())
	}
	cancel()
	if !errors.Is(ctx.Err(), context.Canceled) {
		t.Errorf("%v", ctx.Err())
	}
}
