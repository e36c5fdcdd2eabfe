package ringcall

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/ringfence/ringfence/host/internal/transport"
	"github.com/ringfence/ringfence/pluginkit"
	"github.com/ringfence/ringfence/pluginkit/ringwire"
	"github.com/ringfence/ringfence/pluginkit/wire"
	"github.com/ringfence/ringfence/shmchan"
)

// What no working sandbox sends ends the channel, with what came and what was
// allowed, and the host goes on.
func TestViolationsEndTheChannel(t *testing.T) {
	bomb, err := proto.Marshal(&wire.CapabilityRequest{Op: &wire.CapabilityRequest_Http{Http: &wire.HttpRequest{Headers: make([]*wire.Header, 100_000)}}})
	if err != nil {
		t.Fatal(err)
	}
	calls, asks := ringwire.Calls, ringwire.Capabilities
	for name, tt := range map[string]struct {
		script func(p *peer)
		says   string
	}{
		"the end of another call":    {func(p *peer) { p.sayOf(calls, ringwire.KindResult, p.call+1, nil) }, "the end of call 2 (call 1 runs)"},
		"a result over the limit":    {func(p *peer) { p.say(calls, ringwire.KindResult, make([]byte, 1<<20+1)) }, "1048577 bytes (maximum 1048576)"},
		"a failure over the limit":   {func(p *peer) { p.say(calls, ringwire.KindFailure, make([]byte, pluginkit.MaxFailure+1)) }, "4097 bytes (maximum 4096)"},
		"worn with words":            {func(p *peer) { p.say(calls, ringwire.KindWorn, []byte("x")) }, "1 bytes (maximum 0)"},
		"a call to the host":         {func(p *peer) { p.say(calls, ringwire.KindCall, nil) }, "kind call on the calls lane"},
		"a log line as an answer":    {func(p *peer) { p.say(calls, ringwire.KindLog, make([]byte, 8)) }, "kind log on the calls lane"},
		"an unknown kind":            {func(p *peer) { p.say(calls, 0x7f, nil) }, "kind 0x7f"},
		"an answer on the wrong one": {func(p *peer) { p.say(asks, ringwire.KindResult, nil) }, "kind result on the capabilities lane"},
		"a log line of another call": {func(p *peer) { p.sayOf(asks, ringwire.KindLog, p.call+7, make([]byte, 8)) }, "of call 8 (call 1 runs)"},
		"a log line over the limit":  {func(p *peer) { p.say(asks, ringwire.KindLog, make([]byte, 4+pluginkit.MaxLog+1)) }, "a log line of 16389 bytes"},
		"a log line of nothing":      {func(p *peer) { p.say(asks, ringwire.KindLog, nil) }, "a log line of 0 bytes"},
		"a read of another size":     {func(p *peer) { p.say(asks, ringwire.KindRead, make([]byte, 31)) }, "a read of 31 bytes"},
		"a request that is none":     {func(p *peer) { p.say(asks, ringwire.KindRequest, []byte{0xff, 0xff}) }, "a request of 2 bytes"},
		"a bomb of headers":          {func(p *peer) { p.say(asks, ringwire.KindRequest, bomb) }, "more than 4096 fields"},
		"a done with words":          {func(p *peer) { p.say(asks, ringwire.KindDone, []byte("x")) }, "a done with 1 bytes"},
		"a line after the last one": {func(p *peer) {
			p.say(asks, ringwire.KindDone, nil)
			p.say(asks, ringwire.KindLog, make([]byte, 8))
		}, "after the last one of its call"},
		"a message over the lane's limit": {func(p *peer) { p.say(asks, ringwire.KindRequest, make([]byte, pluginkit.MaxMessage+1)) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := hostile(t, func(p *peer) {
				tt.script(p)
				if tt.says == "" { // the sandbox's own end refuses: nothing was sent
					p.say(calls, ringwire.KindWorn, []byte("x"))
				}
			})
			d := &testDesk{}
			r, err := d.call(t, p, []byte("{}"))
			if !errors.Is(err, transport.ErrProtocol) || !strings.Contains(err.Error(), tt.says) {
				t.Fatalf("%+v, %v; want %q", r, err, tt.says)
			}
			if _, again := (&testDesk{}).call(t, p, nil); !errors.Is(again, transport.ErrProtocol) {
				t.Errorf("the next call: %v", again)
			}
			if p.Idle(t.Context()) {
				t.Error("it is said to be usable")
			}
		})
	}
}

// The end of a call that has asked for something, and does not say so, could
// leave a request behind that is then done in the next call's name.
func TestACallThatEndsWhileItAsksIsAViolation(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	tr := hostile(t, func(p *peer) {
		message, _ := proto.Marshal(&wire.CapabilityRequest{Id: 1, Op: &wire.CapabilityRequest_SecretExists{SecretExists: &wire.SecretExists{Name: "x"}}})
		p.say(ringwire.Capabilities, ringwire.KindRequest, message)
		<-entered
		p.say(ringwire.Calls, ringwire.KindResult, []byte("{}"))
	})
	d := &testDesk{handle: func(*wire.CapabilityRequest) *wire.CapabilityReply {
		close(entered)
		<-release
		return &wire.CapabilityReply{}
	}}
	_, err := d.call(t, tr, nil)
	close(release)
	if !errors.Is(err, transport.ErrProtocol) || !strings.Contains(err.Error(), "still asking") {
		t.Fatal(err)
	}
}

// A request that comes after the end of its call reaches nobody.
func TestAMessageAfterItsCallIsAViolation(t *testing.T) {
	sent := make(chan struct{})
	tr := hostile(t, func(p *peer) {
		p.say(ringwire.Calls, ringwire.KindResult, []byte("{}"))
		<-sent
		line := append(make([]byte, 4), "late"...)
		p.say(ringwire.Capabilities, ringwire.KindLog, line)
	})
	d := &testDesk{}
	if r, err := d.call(t, tr, nil); err != nil || string(r.Data) != "{}" {
		t.Fatalf("%q, %v", r.Data, err)
	}
	close(sent)
	<-tr.closed
	if d.late > 0 || len(d.lines) > 0 {
		t.Error("a call that had returned was asked for something")
	}
	if _, err := (&testDesk{}).call(t, tr, nil); !errors.Is(err, transport.ErrProtocol) || !strings.Contains(err.Error(), "no call runs") {
		t.Errorf("%v", err)
	}
}

func TestHandlesAreChecked(t *testing.T) {
	args := bytes.Repeat([]byte("0123456789"), 10_000) // over half of the ring
	stale := make(chan uint64, 1)
	tr := hostile(t, func(p *peer) {
		handle := p.start.Handle
		if handle == 0 {
			t.Error("the arguments came with the call")
		}
		select {
		case old := <-stale:
			if piece, text := p.read(ringwire.Read{ID: 1, Handle: old, Length: 10}); piece.Code != wire.Code_CODE_NOT_FOUND || text != "nothing here" {
				t.Errorf("a stale handle: %+v %q", piece, text)
			}
		default:
			for name, r := range map[string]ringwire.Read{
				"foreign":           {ID: 2, Handle: handle + 1, Length: 10},
				"none":              {ID: 3, Length: 10},
				"beyond the end":    {ID: 4, Handle: handle, Offset: uint64(len(args)) + 1, Length: 10},
				"far beyond":        {ID: 5, Handle: handle, Offset: 1<<64 - 1, Length: 1 << 20},
				"too much at once":  {ID: 6, Handle: handle, Length: pluginkit.MaxPiece + 1},
				"much too much":     {ID: 7, Handle: handle, Length: 1<<32 - 1},
				"foreign and large": {ID: 8, Handle: 1 << 63, Offset: 1 << 63, Length: 1<<32 - 1},
			} {
				if piece, text := p.read(r); piece.Code != wire.Code_CODE_NOT_FOUND && piece.Code != wire.Code_CODE_INVALID || strings.Contains(text, "0123") {
					t.Errorf("%s: %+v %q", name, piece, text)
				}
			}
			if piece, text := p.read(ringwire.Read{ID: 9, Handle: handle, Offset: uint64(len(args)) - 3, Length: 10}); piece.Code != 0 || text != "789" || piece.BodyBytes != uint64(len(args)) {
				t.Errorf("the end: %+v %q", piece, text)
			}
			if piece, text := p.read(ringwire.Read{ID: 10, Handle: handle, Offset: uint64(len(args)), Length: 10}); piece.Code != 0 || text != "" {
				t.Errorf("at the end: %+v %q", piece, text)
			}
		}
		stale <- handle
		p.done()
	})
	for range 2 {
		if _, err := (&testDesk{}).call(t, tr, args); err != nil {
			t.Fatal(err)
		}
	}
	if s := tr.Stats(); s.Refused != 8 || s.Calls != 2 {
		t.Errorf("%d reads were refused (8), of %d calls (2)", s.Refused, s.Calls)
	}
}

// A handle is good in its own sandbox only, even while its call runs.
func TestAHandleOfAnotherSandboxIsRefused(t *testing.T) {
	args := bytes.Repeat([]byte("0123456789"), 10_000)
	handles, asked := make(chan uint64), make(chan struct{})
	one := hostile(t, func(p *peer) {
		handles <- p.start.Handle
		<-asked
		p.done()
	})
	two := hostile(t, func(p *peer) {
		defer close(asked)
		if piece, text := p.read(ringwire.Read{ID: 1, Handle: <-handles, Length: 10}); piece.Code != wire.Code_CODE_NOT_FOUND || text != "nothing here" {
			t.Errorf("%+v %q", piece, text)
		}
		p.done()
	})
	over := make(chan error, 1)
	go func() {
		_, err := one.Call(t.Context(), transport.Call{Arguments: args, MaxResult: 100}, &testDesk{})
		over <- err
	}()
	if _, err := (&testDesk{}).call(t, two, args); err != nil {
		t.Error(err)
	}
	if err := <-over; err != nil {
		t.Error(err)
	}
	if a, b := one.Stats().Refused, two.Stats().Refused; a != 0 || b != 1 {
		t.Errorf("%d and %d reads were refused", a, b)
	}
}

// What a sandbox declares costs the host nothing.
func TestADeclaredResultGrantsNoMemory(t *testing.T) {
	release := make(chan struct{})
	tr := hostile(t, func(p *peer) {
		w, err := p.channel.Lane(ringwire.Calls).Producer().Writer(context.Background(), shmchan.Header{Kind: ringwire.KindResult, Call: p.call}, 200<<20)
		if err != nil {
			t.Error(err)
		}
		w.Write([]byte("one byte and no more"))
		<-release
	})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := tr.Call(t.Context(), transport.Call{MaxResult: 256 << 20}, &testDesk{})
	runtime.ReadMemStats(&after)
	close(release)
	if !errors.Is(err, transport.ErrProtocol) || !strings.Contains(err.Error(), "no progress") {
		t.Fatalf("%v", err)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 1<<20 {
		t.Errorf("%d bytes were allocated for 20", grown)
	}
}

// A sandbox that says nothing is bounded by the call's own time, and not a moment
// longer.
func TestSilenceEndsWithTheCallsTime(t *testing.T) {
	hold := make(chan struct{})
	for name, script := range map[string]func(p *peer){
		"no answer": func(p *peer) { <-hold },
		"no done":   func(p *peer) { p.say(ringwire.Calls, ringwire.KindResult|ringwire.Talked, []byte("{}")); <-hold },
	} {
		t.Run(name, func(t *testing.T) {
			tr := hostile(t, script)
			stop := errors.New("its time is over")
			ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, stop)
			defer cancel()
			if _, err := tr.Call(ctx, transport.Call{MaxResult: 100}, &testDesk{}); !errors.Is(err, stop) {
				t.Errorf("%v", err)
			}
			if tr.Idle(ctx) {
				t.Error("it is said to be idle")
			}
			tr.Close()
			hold <- struct{}{}
		})
	}
}

// A result that breaks off is not an answer; the failure behind it is.
func TestAResultThatBreaksOff(t *testing.T) {
	tr := hostile(t, func(p *peer) {
		w, err := p.channel.Lane(ringwire.Calls).Producer().Writer(context.Background(), shmchan.Header{Kind: ringwire.KindResult, Call: p.call}, 100_000)
		if err != nil {
			t.Error(err)
		}
		w.Write(make([]byte, 1000))
		w.Close()
		p.say(ringwire.Calls, ringwire.FailureKind(wire.FailureKind_FAILURE_TRAP), []byte("boom\x1b[2J\n"))
	})
	_, err := (&testDesk{}).call(t, tr, nil)
	var failure *transport.Failure
	if !errors.As(err, &failure) || failure.Kind != wire.FailureKind_FAILURE_TRAP || failure.Message != `boom\x1b[2J\n` {
		t.Errorf("%v", err)
	}
	if !tr.Idle(t.Context()) {
		t.Error("it is not idle")
	}
}

func TestWornIsBelievedOnlyBeforeAnythingHasHappened(t *testing.T) {
	tr := hostile(t, func(p *peer) { p.say(ringwire.Calls, ringwire.KindWorn, nil) })
	if _, err := (&testDesk{}).call(t, tr, nil); !errors.Is(err, transport.ErrWorn) {
		t.Errorf("%v", err)
	}
	tr = hostile(t, func(p *peer) {
		p.say(ringwire.Capabilities, ringwire.KindLog, make([]byte, 8))
		p.say(ringwire.Capabilities, ringwire.KindDone, nil)
		p.say(ringwire.Calls, ringwire.KindWorn|ringwire.Talked, nil)
	})
	if _, err := (&testDesk{}).call(t, tr, nil); !errors.Is(err, transport.ErrProtocol) {
		t.Errorf("%v", err)
	}
	// By its own word it has asked for something, though nothing has come of it yet.
	tr = hostile(t, func(p *peer) { p.say(ringwire.Calls, ringwire.KindWorn|ringwire.Talked, nil) })
	if _, err := (&testDesk{}).call(t, tr, nil); !errors.Is(err, transport.ErrProtocol) {
		t.Errorf("%v", err)
	}
}

// A sandbox that keeps the host's memory has the next call time out, not hang.
func TestMemoryThatIsNotGivenBack(t *testing.T) {
	tr, sandbox := pipe(t, 64<<10, 100*time.Millisecond)
	over := make(chan struct{})
	go func() {
		defer close(over)
		for {
			f, err := sandbox.Lane(ringwire.Calls).Consumer().Peek(context.Background())
			if err != nil {
				return
			}
			p := &peer{t: t, channel: sandbox, call: f.Header().Call}
			p.say(ringwire.Calls, ringwire.KindResult, nil)
		}
	}()
	var err error
	for range 4 {
		if _, err = (&testDesk{}).call(t, tr, make([]byte, 30_000)); err != nil {
			break
		}
	}
	if !errors.Is(err, transport.ErrProtocol) || !strings.Contains(err.Error(), "no progress") {
		t.Errorf("%v", err)
	}
	if tr.Idle(t.Context()) {
		t.Error("it is said to be good for another call")
	}
	tr.Close()
	<-over
}

// The host says that a sandbox went away, whichever way it did.
func TestASandboxThatCloses(t *testing.T) {
	tr := hostile(t, func(p *peer) { p.channel.Close() })
	if _, err := (&testDesk{}).call(t, tr, nil); !errors.Is(err, transport.ErrLost) {
		t.Errorf("%v", err)
	}
}
