package serve

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/pluginkit/ringwire"
	"github.com/ringfence/ringfence/pluginkit/wire"
	"github.com/ringfence/ringfence/plugins/wasm/internal/wasmtest"
	"github.com/ringfence/ringfence/shmchan"
)

// windowed is a guest that asks for windows in a way of its own. Its memory has
// 64 pages, and its ring is the smallest: one page each way.
func windowed(first, second, room, call string) string {
	const manifest = `{\"tools\":[{\"name\":\"t\",\"input_schema\":{}}]}`
	return fmt.Sprintf(`(module
	(memory (export "memory") 64 128)
	(global $n (mut i32) (i32.const 0))
	(data (i32.const 16) "%s")
	(func (export "ringfence_abi_1"))
	(func (export "ringfence_describe") (result i64) i64.const %d)
	(func (export "ringfence_alloc") (param i32 i32) (result i32)
		global.get $n i32.const 1 i32.add global.set $n
		(if (result i32) (i32.eq (global.get $n) (i32.const 1)) (then i32.const %s) (else i32.const %s)))
	(func (export "ringfence_free") (param i32))
	(func (export "ringfence_windows") (param i32 i32 i32 i32) (result i32) %s)
	(func (export "ringfence_call") (param $tool i32) (param $at i32) (param $n i32) (result i32) %s))`,
		manifest, uint64(16)<<32|uint64(len(manifest)-strings.Count(manifest, `\`)), first, second, room, call)
}

const (
	page      = 64 << 10
	emptyCall = `i32.const 1024` // a record of zeros
)

// The kinds of failures that tests here bring about.
var (
	trapped   = ringwire.FailureKind(wire.FailureKind_FAILURE_TRAP)
	outOfRoom = ringwire.FailureKind(wire.FailureKind_FAILURE_MEMORY)
	brokeABI  = ringwire.FailureKind(wire.FailureKind_FAILURE_ABI)
)

// ringed loads a module with a ring.
func ringed(t *testing.T, module []byte) (*sandbox, *shmchan.Channel, *wire.LoadResponse) {
	t.Helper()
	host, socket := sockets(t)
	return ringedOver(t, module, host, socket)
}

func ringedOver(t *testing.T, module []byte, host, socket int) (*sandbox, *shmchan.Channel, *wire.LoadResponse) {
	t.Helper()
	artifact, f := compile(t, module)
	if f != nil {
		t.Fatal(f)
	}
	box := newSandbox(t, artifact)
	box.server.config.Ring = RingFrom(socket)
	offer := offerRing(t)
	send(t, host, "\x02", int(offer.Files()[0].Fd()), int(offer.Files()[1].Fd()))
	terms := ringTerms()
	terms.Windows = true
	if _, err := box.Settle(t.Context(), terms); err != nil {
		t.Fatal(err)
	}
	response, err := box.Load(t.Context(), &wire.LoadRequest{Engine: "wasmer", ArtifactBytes: uint64(len(artifact)),
		GuestMemoryBytes: 128 * page, Lifetime: wire.Lifetime_LIFETIME_SESSION})
	if err != nil {
		t.Fatal(err)
	}
	return box, offer.Channel(), response
}

// ringCall makes a call over the ring, as a host does.
func ringCall(t *testing.T, host *shmchan.Channel, number uint32, args string) (ringwire.Kind, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	message := make([]byte, ringwire.StartSize, ringwire.StartSize+len(args))
	ringwire.Start{ArgumentsBytes: uint64(len(args)), MaxResult: 1 << 20}.Put(message)
	lane := host.Lane(ringwire.Calls)
	if err := lane.Producer().Send(ctx, shmchan.Header{Kind: ringwire.KindCall, Call: number}, append(message, args...)); err != nil {
		t.Fatal(err)
	}
	header, answer, err := lane.Consumer().Recv(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	return header.Kind, string(answer)
}

// A guest that claims windows which are none of its memory's is stopped before it
// gets any.
func TestClaimsOfWindows(t *testing.T) {
	good := []string{fmt.Sprint(2 * page), fmt.Sprint(3 * page), "i32.const 2048"}
	for name, c := range map[string]struct {
		first, second, room string
		says                string
	}{
		"good":                     {good[0], good[1], good[2], ""},
		"misaligned":               {fmt.Sprint(2*page + 4096), good[1], good[2], "not aligned to 65536"},
		"second misaligned":        {good[0], fmt.Sprint(3*page + 8), good[2], "not aligned to 65536"},
		"outside of the memory":    {fmt.Sprint(64 * page), good[1], good[2], "not in the memory"},
		"at the end of addresses":  {"-65536", good[1], good[2], "not in the memory"},
		"the same":                 {good[0], good[0], good[2], "overlap"},
		"the room is nowhere":      {good[0], good[1], "i32.const 0", "not a place"},
		"the room is misaligned":   {good[0], good[1], "i32.const 2050", "not a place"},
		"the room is outside":      {good[0], good[1], fmt.Sprintf("i32.const %d", 64*page-4), "not a place"},
		"the room is far outside":  {good[0], good[1], "i32.const -4", "not a place"},
		"the room is read-only":    {good[0], good[1], fmt.Sprintf("i32.const %d", 2*page), "not a place"},
		"the room is the host's":   {good[0], good[1], fmt.Sprintf("i32.const %d", 3*page+8), "not a place"},
		"the room ends in there":   {good[0], good[1], fmt.Sprintf("i32.const %d", 2*page-4), "not a place"},
		"windows that trap":        {good[0], good[1], "unreachable", "unreachable"},
		"a write while it is told": {good[0], good[1], fmt.Sprintf("(i32.store (i32.const %d) (i32.const 1)) i32.const 2048", 2*page), "out of bounds"},
	} {
		t.Run(name, func(t *testing.T) {
			_, host, response := ringed(t, wasmtest.WAT(t, windowed(c.first, c.second, c.room, emptyCall)))
			if c.says == "" {
				if response.Failure != nil || !response.Windows {
					t.Fatalf("%v", response)
				}
				if kind, answer := ringCall(t, host, 1, "{}"); kind != ringwire.KindResult || answer != "" {
					t.Errorf("%#x %q", kind, answer)
				}
				return
			}
			if response.Windows || !strings.Contains(response.Failure.GetMessage(), c.says) {
				t.Errorf("%v, want %q", response, c.says)
			}
		})
	}
}

// A guest that has no room for windows, or another idea of the export, works
// without, or is told.
func TestGuestsWithoutRoomForWindows(t *testing.T) {
	_, host, response := ringed(t, wasmtest.WAT(t, windowed("0", "0", "unreachable", emptyCall)))
	if response.Failure != nil || response.Windows {
		t.Fatalf("%v", response)
	}
	kind, answer := ringCall(t, host, 1, "{}")
	if kind != outOfRoom || !strings.Contains(answer, "no room for arguments") {
		t.Errorf("%#x %q", kind, answer)
	}
	text := strings.Replace(windowed("0", "0", "i32.const 0", emptyCall), "(param i32 i32 i32 i32) (result i32)", "(param i32 i32 i32) (result i32)", 1)
	if _, _, response := ringed(t, wasmtest.WAT(t, text)); !strings.Contains(response.Failure.GetMessage(), "ringfence_windows has the type") {
		t.Errorf("%v", response)
	}
}

// What a guest does with its windows in a call.
func TestUsesOfWindows(t *testing.T) {
	in, out := 2*page, 3*page
	record := func(status, pointer, length string) string {
		return fmt.Sprintf(`(i32.store (i32.const 1024) (i32.const %s)) (i32.store (i32.const 1028) %s) (i32.store (i32.const 1032) %s) i32.const 1024`,
			status, pointer, length)
	}
	room := "(i32.load (i32.const 2048))"
	for name, c := range map[string]struct {
		call string
		kind ringwire.Kind
		want string
	}{
		"the arguments as the result":     {record("0", "(local.get $at)", "(local.get $n)"), ringwire.KindResult, "0123456789"},
		"written in place":                {fmt.Sprintf("(i64.store %s (i64.const 0x6867666564636261)) ", room) + record("1", room, "(i32.const 8)"), ringwire.KindToolError, "abcdefgh"},
		"in the window, not in the room":  {fmt.Sprintf("(i64.store offset=8 %s (i64.const 0x6867666564636261)) ", room) + record("0", "(i32.add "+room+" (i32.const 8))", "(i32.const 8)"), ringwire.KindResult, "abcdefgh"},
		"longer than the room":            {fmt.Sprintf("(i64.store %s (i64.const 0x6867666564636261)) ", room) + record("0", room, "(i32.const 32769)"), ringwire.KindResult, "abcdefgh" + strings.Repeat("\x00", 32761)},
		"out of its memory":               {record("0", room, fmt.Sprintf("(i32.const %d)", 64*page)), brokeABI, "not in the guest's memory"},
		"the record in the window":        {fmt.Sprintf("(i32.store (i32.const %d) (i32.const 2)) (i64.store offset=4 (i32.const %d) (i64.const 0)) (i32.store offset=12 (i32.const %d) (i32.const 0)) i32.const %d", out+4096, out+4096, out+4096, out+4096), ringwire.KindBadArgs, ""},
		"a write to what is read-only":    {fmt.Sprintf("(i32.store (i32.const %d) (i32.const 1)) ", in+page-4) + emptyCall, trapped, "out of bounds"},
		"a forged room":                   {"(i64.store (i32.const 2048) (i64.const -1)) " + record("0", "(i32.const 0)", "(i32.const 3)"), ringwire.KindResult, "\x00\x00\x00"},
		"grown, then in place":            {"(drop (memory.grow (i32.const 8))) " + fmt.Sprintf("(i64.store %s (i64.const 0x6867666564636261)) ", room) + record("0", room, "(i32.const 8)"), ringwire.KindResult, "abcdefgh"},
		"nothing, in place":               {record("0", room, "(i32.const 0)"), ringwire.KindResult, ""},
		"the arguments, after they moved": {fmt.Sprintf("(memory.copy (i32.const %d) (local.get $at) (local.get $n)) ", 10*page) + record("0", fmt.Sprintf("(i32.const %d)", 10*page), "(local.get $n)"), ringwire.KindResult, "0123456789"},
	} {
		t.Run(name, func(t *testing.T) {
			_, host, response := ringed(t, wasmtest.WAT(t, windowed(fmt.Sprint(in), fmt.Sprint(out), "i32.const 2048", c.call)))
			if response.Failure != nil || !response.Windows {
				t.Fatalf("%v", response)
			}
			for number := range uint32(3) { // an instance that ended is replaced
				kind, answer := ringCall(t, host, number+1, "0123456789")
				_, failed := ringwire.FailureOf(kind)
				if kind != c.kind || failed && !strings.Contains(answer, c.want) || !failed && c.want != "" && answer != c.want {
					t.Fatalf("call %d: %#x %.100q, want %#x %q", number+1, kind, answer, c.kind, c.want)
				}
			}
		})
	}
}
