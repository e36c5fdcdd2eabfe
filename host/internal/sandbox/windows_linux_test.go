package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/host/internal/transport"
	"github.com/ringfence/ringfence/pluginkit/wire"
	"github.com/ringfence/ringfence/shmchan"
)

// withWindows starts the guest that uses its windows.
func withWindows(t *testing.T, plan Plan) *box {
	t.Helper()
	return withWindowsOf(t, windows, plan)
}

func withWindowsOf(t *testing.T, guest *testGuest, plan Plan) *box {
	t.Helper()
	plan.Session = true
	b := start(t, guest, false, plan, "ring")
	if b.Windows() == plan.NoWindows {
		t.Fatalf("windows: %t", b.Windows())
	}
	return b
}

func text(n int) []byte {
	return []byte(`{"text":"` + strings.Repeat("x", n) + `"}`)
}

func (b *box) echoes(args []byte) {
	b.t.Helper()
	r, err := b.call(b.t.Context(), "echo", args, &desk{})
	if err != nil || r.Status != transport.StatusOK || !bytes.Equal(r.Data, args) {
		b.t.Fatalf("%d bytes: %d %d, %v", len(args), r.Status, len(r.Data), err)
	}
}

func TestWindowsCarryCallsOfEverySize(t *testing.T) {
	for name, plan := range map[string]Plan{
		"windows": {}, "small windows": {Ring: Ring{Bytes: 128 << 10}}, "copying": {NoWindows: true},
	} {
		t.Run(name, func(t *testing.T) {
			b := withWindows(t, plan)
			for _, n := range []int{0, 1, 1000, 60 << 10, 70 << 10, 1 << 20, 2<<20 - 100, 2 << 20, 5 << 20, 10, 30 << 20, 10} {
				b.echoes(text(n)) // those that do not fit are pulled and streamed
			}
			for tool, want := range map[string]string{"typed": "[1,2,3]", "heap": "{}", "head": "125", "fail": "it failed"} {
				r, err := b.call(t.Context(), tool, []byte("{}"), &desk{})
				if err != nil || string(r.Data) != want {
					t.Errorf("%s: %q, %v", tool, r.Data, err)
				}
			}
		})
	}
}

// The result is written where the host reads it: half of the ring is its room.
func TestTheResultHasRoomInTheWindow(t *testing.T) {
	for want, plan := range map[string]Plan{fmt.Sprint(2 << 20): {}, "0": {NoWindows: true}} {
		b := withWindows(t, plan)
		r, err := b.call(t.Context(), "room", []byte("{}"), &desk{})
		if err != nil || string(r.Data) != want {
			t.Errorf("%q, want %s: %v", r.Data, want, err)
		}
	}
}

// A guest that writes to the inbound window ends, by an ordinary trap, and what
// the host has written there is intact.
func TestAWriteToTheInboundWindowTraps(t *testing.T) {
	b := withWindows(t, Plan{})
	for range 3 {
		args := text(100_000)
		_, err := b.call(t.Context(), "scribble", args, &desk{})
		var failure *transport.Failure
		if !errors.As(err, &failure) || failure.Kind != wire.FailureKind_FAILURE_TRAP || !strings.Contains(failure.Message, "out of bounds") {
			t.Fatalf("%v", err)
		}
		select {
		case <-b.Done():
			t.Fatal("the process has ended")
		default:
		}
		b.echoes(args) // in a new instance with windows of its own
	}
	r, err := b.call(t.Context(), "room", []byte("{}"), &desk{})
	if err != nil || string(r.Data) == "0" {
		t.Errorf("the new instance has no windows: %q, %v", r.Data, err)
	}
}

// Whatever asks the sandbox to write to the inbound window for it is refused.
func TestAHostFunctionDoesNotWriteToTheInboundWindow(t *testing.T) {
	b := withWindows(t, Plan{})
	r, err := b.call(t.Context(), "fetch", []byte(`{"url":"https://example.com/"}`), body(1000))
	if err != nil || r.Status != transport.StatusToolFailed || !strings.HasPrefix(string(r.Data), "0 bytes") {
		t.Fatalf("%d %q, %v", r.Status, r.Data, err)
	}
	b.echoes(text(100))
}

func TestWindowsSurviveThatTheGuestGrows(t *testing.T) {
	b := withWindows(t, Plan{})
	for range 3 {
		args := text(500_000)
		r, err := b.call(t.Context(), "grow", args, &desk{})
		if err != nil || !bytes.Equal(r.Data, args) {
			t.Fatalf("%d %.100q, %v", len(r.Data), r.Data, err)
		}
	}
	r, err := b.call(t.Context(), "room", []byte("{}"), &desk{})
	if err != nil || string(r.Data) == "0" {
		t.Errorf("no windows any more: %q, %v", r.Data, err)
	}
}

// Forged bytes in the outbound window are at worst a bad result.
func TestForgedBytesAreABadResult(t *testing.T) {
	b := withWindows(t, Plan{})
	for range 3 {
		r, err := b.call(t.Context(), "forge", []byte("{}"), &desk{})
		if err != nil || !bytes.Equal(r.Data, bytes.Repeat([]byte{0xff}, 93)) {
			t.Fatalf("%x, %v", r.Data, err)
		}
		b.echoes(text(10))
	}
}

// A window shows what earlier calls have left in the ring: the instance of a
// single call has none.
func TestNoWindowsWithLifetimeCall(t *testing.T) {
	b := start(t, windows, false, Plan{}, "ring")
	if b.Windows() {
		t.Error("there are windows")
	}
	b.echoes(text(1000))
}

// Windows may take a quarter of the guest's memory.
func TestNoWindowsInALittleMemory(t *testing.T) {
	b := start(t, windows, false, Plan{Session: true, Ring: Ring{Bytes: guestMemory/8 + 64<<10}}, "ring")
	if b.Windows() {
		t.Error("there are windows")
	}
	b.echoes(text(1000))
}

func TestACancelledCallWithWindowsLeavesThemUsable(t *testing.T) {
	b := withWindows(t, Plan{})
	entered, returned := make(chan struct{}), make(chan struct{})
	d := &desk{handle: func(context.Context, *wire.CapabilityRequest) *wire.CapabilityReply {
		close(entered)
		<-returned
		return &wire.CapabilityReply{}
	}}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-entered
		cancel()
	}()
	if _, err := b.call(ctx, "fetch", []byte(`{"url":"https://example.com/"}`), d); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	close(returned)
	if !b.Idle(t.Context()) {
		t.Fatal("not idle")
	}
	b.echoes(text(100_000))
}

// A ring that stays full is exchanged for a larger one between two calls: nothing
// is lost, and the guest has windows of the new memory.
func TestWindowsSurviveThatTheRingGrows(t *testing.T) {
	for _, guest := range []*testGuest{windows, windowsWazero} {
		t.Run(guest.engine, func(t *testing.T) { windowsGrow(t, guest) })
	}
}

func windowsGrow(t *testing.T, guest *testGuest) {
	b := withWindowsOf(t, guest, Plan{Ring: Ring{Bytes: 64 << 10, Largest: 512 << 10}})
	kept, err := b.call(t.Context(), "keep", []byte("{}"), &desk{})
	if err != nil {
		t.Fatal(err)
	}
	for calls := 0; b.Stats().Growth.Grown < 3; calls++ {
		if calls > 100 {
			t.Fatalf("%+v", b.Stats().Growth)
		}
		b.echoes(text(3 << 20)) // streamed: it does not fit
		b.echoes(text(3 << 20))
		b.echoes(text(3 << 20))
		b.echoes(text(20 << 10))
	}
	if ring := b.Stats().Ring; ring.Lanes[0].Inbound.Size != 512<<10 || ring.Epoch != 4 || !b.Windows() {
		t.Errorf("%+v, windows: %t", ring, b.Windows())
	}
	r, err := b.call(t.Context(), "room", []byte("{}"), &desk{})
	if err != nil || string(r.Data) != fmt.Sprint(256<<10) {
		t.Errorf("room for %q, %v", r.Data, err)
	}
	again, err := b.call(t.Context(), "keep", []byte("{}"), &desk{})
	if err != nil || string(again.Data) != "2" || string(kept.Data) != "1" {
		t.Errorf("the instance is another one: %q, %v", again.Data, err)
	}
	for calls := 0; calls < 100 && b.Stats().Growth.Alerts == 0; calls++ {
		b.echoes(text(3 << 20))
	}
	if s := b.Stats().Growth; s.Grown != 3 || s.Alerts == 0 || !strings.Contains(b.Crowded(), "524288") {
		t.Errorf("%+v, %q", s, b.Crowded())
	}
	// The new window is read-only, too; wazero cannot survive that as a trap.
	_, err = b.call(t.Context(), "scribble", text(100_000), &desk{})
	if err == nil || guest.engine == "wasmer" && !strings.Contains(err.Error(), "out of bounds") || guest.engine == "wazero" && !errors.Is(err, ErrDied) {
		t.Errorf("a write to the new window: %v", err)
	}
}

// Windows of a larger ring that would take more than a quarter of the guest's
// memory are not made, and the calls go on with copies.
func TestARingThatGrowsBeyondTheGuestsMemoryHasNoWindows(t *testing.T) {
	b := withWindows(t, Plan{Ring: Ring{Bytes: guestMemory / 8, Largest: guestMemory / 4}})
	b.ring.pressure.Fill(shmchan.FillEvent{Level: 90, For: time.Minute})
	for calls := 0; b.Stats().Growth.Grown == 0; calls++ { // the memory is being made
		if calls > 1_000_000 {
			t.Fatalf("%+v", b.Stats().Growth)
		}
		b.echoes(text(10))
	}
	if b.Windows() {
		t.Error("there are windows")
	}
	r, err := b.call(t.Context(), "room", []byte("{}"), &desk{})
	if err != nil || string(r.Data) != "0" {
		t.Errorf("room for %q, %v", r.Data, err)
	}
	for _, n := range []int{0, 1000, 1 << 20} {
		b.echoes(text(n))
	}
}
