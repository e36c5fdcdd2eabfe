package serve

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/pluginkit/ringwire"
	"github.com/ringfence/ringfence/pluginkit/wire"
	"github.com/ringfence/ringfence/plugins/wasm/internal/wasmtest"
	"github.com/ringfence/ringfence/shmchan"
)

// grower is a guest whose first windows are good, and that behaves as the test says
// when the ring grows: it is asked to free its buffers, and then for larger ones. Its
// calls return 16 bytes of its memory from the given address.
type grower struct {
	free, third, fourth string // what it answers then
	look                int    // where its calls look
}

func (g grower) module(t *testing.T) []byte { return wasmtest.WAT(t, g.text()) }

func (g grower) text() string {
	const manifest = `{\"tools\":[{\"name\":\"t\",\"input_schema\":{}}]}`
	return fmt.Sprintf(`(module
	(memory (export "memory") 64 128)
	(global $n (mut i32) (i32.const 0))
	(global $freed (mut i32) (i32.const 0))
	(data (i32.const 16) "%s")
	(func (export "ringfence_abi_1"))
	(func (export "ringfence_describe") (result i64) i64.const %d)
	(func (export "ringfence_alloc") (param i32 i32) (result i32)
		global.get $n i32.const 1 i32.add global.set $n
		(if (i32.eq (global.get $n) (i32.const 1)) (then (return (i32.const %d))))
		(if (i32.eq (global.get $n) (i32.const 2)) (then (return (i32.const %d))))
		(if (i32.eq (global.get $n) (i32.const 3)) (then (return (i32.const %s))))
		(if (i32.eq (global.get $n) (i32.const 4)) (then (return (i32.const %s))))
		i32.const %d)
	(func (export "ringfence_free") (param $at i32) %s)
	(func (export "ringfence_windows") (param i32 i32 i32 i32) (result i32) i32.const 2048)
	(func (export "ringfence_call") (param i32 i32 i32) (result i32)
		(i32.store (i32.const 1024) (i32.const 0)) (i32.store (i32.const 1028) (i32.const %d)) (i32.store (i32.const 1032) (i32.const 16))
		i32.const 1024))`,
		manifest, uint64(16)<<32|uint64(len(manifest)-strings.Count(manifest, `\`)), 2*page, 4*page, g.third, g.fourth, 60*page, g.free, g.look)
}

// grow has the sandbox move to a ring of that size, as a host does, and says what it
// answered.
func grow(t *testing.T, socket int, host *shmchan.Channel, call uint32, size uint64) (kind ringwire.Kind, answer string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	offer, err := host.Prepare(ringwire.ShapeOf(size, 5*time.Second).Config())
	if err != nil {
		t.Fatal(err)
	}
	defer offer.Close()
	send(t, socket, "\x02", int(offer.Files()[0].Fd()), int(offer.Files()[1].Fd()))
	message := ringwire.Grow{Ring: size, Capabilities: size}.Bytes()
	lane := host.Lane(ringwire.Calls)
	if err := lane.Producer().Send(ctx, shmchan.Header{Kind: ringwire.KindGrow, Call: call}, message[:]); err != nil {
		t.Fatal(err)
	}
	header, b, err := lane.Consumer().Recv(ctx, nil)
	if err != nil || header.Call != call {
		t.Fatalf("%+v, %v", header, err)
	}
	return header.Kind, string(b)
}

// A guest may change its mind about its windows when the ring grows, within the same
// bounds as before: else it ends, and the next instance begins anew.
func TestAGuestThatChangesItsMindAboutItsWindows(t *testing.T) {
	const size = 2 * page
	for name, c := range map[string]struct {
		grower
		windows bool
	}{
		"the next pages":             {grower{"", fmt.Sprint(8 * page), fmt.Sprint(16 * page), 4}, true},
		"where they were":            {grower{"", fmt.Sprint(2 * page), fmt.Sprint(4 * page), 4}, true},
		"exchanged":                  {grower{"", fmt.Sprint(4 * page), fmt.Sprint(2 * page), 4}, true},
		"none any more":              {grower{"", "0", fmt.Sprint(30 * page), 4}, false},
		"the second no more":         {grower{"", fmt.Sprint(8 * page), "0", 4}, false},
		"misaligned now":             {grower{"", fmt.Sprint(8*page + 8), fmt.Sprint(16 * page), 4}, false},
		"overlapping now":            {grower{"", fmt.Sprint(8 * page), fmt.Sprint(9 * page), 4}, false},
		"outside of the memory now":  {grower{"", fmt.Sprint(63 * page), fmt.Sprint(16 * page), 4}, false},
		"a trap while it frees them": {grower{"unreachable", "0", "0", 4}, false},
	} {
		t.Run(name, func(t *testing.T) {
			socket, end := sockets(t)
			box, host, response := ringedOver(t, c.module(t), socket, end)
			if response.Failure != nil || !response.Windows {
				t.Fatalf("%v", response)
			}
			kind, answer := grow(t, socket, host, 1, size)
			if want := map[bool]ringwire.Kind{true: ringwire.KindWindows, false: ringwire.KindGrown}[c.windows]; kind != want || answer != "" {
				t.Fatalf("%s %q, want %s", ringwire.KindName(kind), answer, ringwire.KindName(want))
			}
			for number := range uint32(3) { // a new instance where the old one has ended
				if kind, answer := ringCall(t, host, number+2, "{}"); kind != ringwire.KindResult || len(answer) != 16 {
					t.Errorf("%s %q", ringwire.KindName(kind), answer)
				}
			}
			onlyTheRingsPages(t, box)
		})
	}
}

// What was a window is the guest's own memory again, and holds nothing, before the
// guest is told that it has it back: here it asks in the middle of giving it back.
func TestWindowsThatEndAreTheGuestsOwnMemoryAgain(t *testing.T) {
	const seen = 40 * page
	look := fmt.Sprintf(`(i64.store (i32.add (i32.const %d) (i32.shl (global.get $freed) (i32.const 3))) (i64.add (i64.const 1) (i64.load offset=64 (local.get $at))))
		(i32.store (local.get $at) (i32.const 0x21212121)) global.get $freed i32.const 1 i32.add global.set $freed`, seen)
	g := grower{look, "0", fmt.Sprint(30 * page), seen}
	socket, end := sockets(t)
	_, host, response := ringedOver(t, g.module(t), socket, end)
	if response.Failure != nil || !response.Windows {
		t.Fatalf("%v", response)
	}
	secret := strings.Repeat("secret", 100)
	for number := range uint32(3) {
		ringCall(t, host, number+1, secret)
	}
	if kind, answer := grow(t, socket, host, 4, 2*page); kind != ringwire.KindGrown || answer != "" {
		t.Fatalf("%s %q", ringwire.KindName(kind), answer)
	}
	kind, answer := ringCall(t, host, 5, "{}")
	if kind != ringwire.KindResult || answer != strings.Repeat("\x01\x00\x00\x00\x00\x00\x00\x00", 2) { // one more than what it saw
		t.Errorf("%s: it saw %q", ringwire.KindName(kind), answer)
	}
}

// A guest that uses its windows as if they were its own memory, or hands them out a
// second time, hurts itself: its next calls, if it is that far, and nobody else's.
func TestAGuestThatReusesItsWindows(t *testing.T) {
	const in, out = 2 * page, 4 * page
	long := strings.Repeat("x", 40<<10) // does not fit the window: copied to where the guest says
	alloc := func(third int) string { return fmt.Sprint(third) }
	for name, c := range map[string]struct {
		third string
		kind  ringwire.Kind
		says  string
	}{
		"arguments in the window of arguments": {alloc(in), brokeABI, "no room for the arguments"},
		"arguments that end in it":             {alloc(in - 8), brokeABI, "no room for the arguments"},
		"arguments in the window of results":   {alloc(out), ringwire.KindResult, ""},
		"arguments between the two":            {alloc(3 * page), ringwire.KindResult, ""},
	} {
		t.Run(name, func(t *testing.T) {
			g := grower{"", c.third, c.third, out}
			_, host, response := ringed(t, g.module(t))
			if response.Failure != nil || !response.Windows {
				t.Fatalf("%v", response)
			}
			for number := range uint32(4) {
				kind, answer := pulledCall(t, host, number+1, long)
				if kind&^ringwire.Talked != c.kind || c.says != "" && !strings.Contains(answer, c.says) {
					t.Fatalf("%s %.100q", ringwire.KindName(kind), answer)
				}
			}
		})
	}
}

// pulledCall is ringCall for arguments that do not fit the ring.
func pulledCall(t *testing.T, host *shmchan.Channel, number uint32, args string) (ringwire.Kind, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	message := make([]byte, ringwire.StartSize)
	ringwire.Start{ArgumentsBytes: uint64(len(args)), MaxResult: 1 << 20, Handle: 7}.Put(message)
	calls, asks := host.Lane(ringwire.Calls), host.Lane(ringwire.Capabilities)
	if err := calls.Producer().Send(ctx, shmchan.Header{Kind: ringwire.KindCall, Call: number}, message); err != nil {
		t.Fatal(err)
	}
	for {
		header, asked, err := asks.Consumer().Recv(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		if header.Kind == ringwire.KindDone {
			break
		}
		read, err := ringwire.ParseRead(asked)
		if err != nil {
			t.Fatal(err)
		}
		head := ringwire.Piece{ID: read.ID, BodyBytes: uint64(len(args))}.Bytes()
		piece := args[read.Offset:][:read.Length]
		if err := asks.Producer().Send(ctx, shmchan.Header{Kind: ringwire.KindPiece, Call: number}, append(head[:], piece...)); err != nil {
			t.Fatal(err)
		}
	}
	header, answer, err := calls.Consumer().Recv(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	return header.Kind, string(answer)
}

// Instances come and go, and no window is left of any of them; and what there is of
// windows is the data areas and not a byte beside them.
func TestNoWindowOutlivesItsInstance(t *testing.T) {
	module := wasmtest.WAT(t, windowed(fmt.Sprint(2*page), fmt.Sprint(3*page), "i32.const 2048", "unreachable"))
	box, host, response := ringed(t, module)
	if response.Failure != nil || !response.Windows {
		t.Fatalf("%v", response)
	}
	first := onlyTheRingsPages(t, box)
	if first != 2 {
		t.Fatalf("%d windows", first)
	}
	for number := range uint32(10) {
		if kind, _ := ringCall(t, host, number+1, "{}"); kind != trapped {
			t.Fatal(ringwire.KindName(kind))
		}
		for now := 0; now != 2; now = onlyTheRingsPages(t, box) { // the next instance is being made
			if now > 2 || t.Context().Err() != nil {
				t.Fatalf("%d windows after %d instances", now, number+2)
			}
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	box.server.plugin.Close(ctx)
	if now := onlyTheRingsPages(t, box); now != 0 {
		t.Errorf("%d windows without an instance", now)
	}
}

// onlyTheRingsPages looks at what of memory files this process has mapped: whole
// files, by the ends of channels, and windows, which begin and end with a data area
// of the calls lane. It says how many these are.
func onlyTheRingsPages(t *testing.T, box *sandbox) (windows int) {
	t.Helper()
	b, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	in, out := box.server.channel.Channel.Area(ringwire.Calls, false), box.server.channel.Channel.Area(ringwire.Calls, true)
	for line := range strings.Lines(string(b)) {
		if !strings.Contains(line, "/memfd:shmchan-") {
			continue
		}
		var from, to, offset uint64
		var rights string
		if _, err := fmt.Sscanf(line, "%x-%x %s %x", &from, &to, &rights, &offset); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		size := int64(to - from)
		switch {
		case offset == 0: // an end's
		case int64(offset) == in.Offset && size == in.Size && rights == "r--s", int64(offset) == out.Offset && size == out.Size && rights == "rw-s":
			windows++
		default:
			t.Errorf("mapped, and neither a channel nor a window of it: %s", line)
		}
	}
	return windows
}

// The next instance has the windows of the one that ended, and can write where the
// host still reads how the call failed: that it failed, and of what, is not there.
func TestAGuestDoesNotForgeHowACallFailed(t *testing.T) {
	const out = 4 * page
	text := strings.Replace(grower{"", "0", "0", 4}.text(), "(result i32) i32.const 2048)",
		fmt.Sprintf(`(result i32) (memory.fill (i32.const %d) (i32.const 0x21) (i32.const 4096)) i32.const 2048)`, out), 1)
	text = strings.Replace(text, "(i32.store (i32.const 1024) (i32.const 0)) (i32.store (i32.const 1028)", "unreachable (i32.store (i32.const 1024) (i32.const 0)) (i32.store (i32.const 1028)", 1)
	_, host, response := ringed(t, wasmtest.WAT(t, text))
	if response.Failure != nil || !response.Windows {
		t.Fatalf("%v", response)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	lane := host.Lane(ringwire.Calls)
	for number := range uint32(3) {
		message := make([]byte, ringwire.StartSize)
		ringwire.Start{MaxResult: 1 << 20}.Put(message)
		if err := lane.Producer().Send(ctx, shmchan.Header{Kind: ringwire.KindCall, Call: number + 1}, message); err != nil {
			t.Fatal(err)
		}
		f, err := lane.Consumer().Peek(ctx)
		if err != nil {
			t.Fatal(err)
		}
		words := make([]byte, f.Len())
		for !bytes.Contains(words, []byte("!!!")) { // the next instance is being made
			if _, err := f.CopyTo(words); err != nil || ctx.Err() != nil {
				t.Fatalf("the guest does not write there: %q, %v", words, err)
			}
		}
		if kind := f.Header().Kind; kind != trapped {
			t.Errorf("call %d: %s %#x, %q", number+1, ringwire.KindName(kind), kind, words)
		}
		if err := f.Release(); err != nil {
			t.Fatal(err)
		}
	}
}

// A guest that loops when the ring grows ends its process itself, long before the
// host would give up: it is the guest's doing, and no word of a broken sandbox.
func TestAGuestThatLoopsWhenTheRingGrowsEndsItsProcess(t *testing.T) {
	if testing.Short() {
		t.Skip("takes five seconds")
	}
	artifact, f := compile(t, grower{"(loop $l br $l)", "0", "0", 4}.module(t))
	if f != nil {
		t.Fatal(f)
	}
	socket, end := sockets(t)
	copied, err := unix.Dup(end)
	if err != nil {
		t.Fatal(err)
	}
	channel := os.NewFile(uintptr(copied), "channel")
	defer channel.Close()
	p := startProcessWith(t, artifact, channel)
	offer := offerRing(t)
	host := offer.Channel()
	send(t, socket, "\x02", int(offer.Files()[0].Fd()), int(offer.Files()[1].Fd()))
	terms := ringTerms()
	terms.Windows = true
	if _, err := p.Settle(t.Context(), terms); err != nil {
		t.Fatal(err)
	}
	if r := p.load(t, artifact, 128*page, wire.Lifetime_LIFETIME_SESSION); r.Failure != nil || !r.Windows {
		t.Fatalf("%v", r)
	}
	next, err := host.Prepare(ringwire.ShapeOf(2*page, 5*time.Second).Config())
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	send(t, socket, "\x02", int(next.Files()[0].Fd()), int(next.Files()[1].Fd()))
	message := ringwire.Grow{Ring: 2 * page, Capabilities: 2 * page}.Bytes()
	if err := host.Lane(ringwire.Calls).Producer().Send(t.Context(), shmchan.Header{Kind: ringwire.KindGrow, Call: 1}, message[:]); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.exited:
		if code := p.command.ProcessState.ExitCode(); code != exitStuck {
			t.Errorf("exit status %d, want %d: %s", code, exitStuck, p.stderr.String())
		}
	case <-time.After(time.Minute):
		t.Error("the process loops on")
	}
}
