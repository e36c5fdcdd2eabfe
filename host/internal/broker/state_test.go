package broker

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/host/internal/state"
	"github.com/ringfence/ringfence/pluginkit"
	"github.com/ringfence/ringfence/pluginkit/wire"
	"github.com/ringfence/ringfence/policies"
)

// more parses a plugin block with more in it than http.
func more(t *testing.T, block string) *policies.Plugin {
	t.Helper()
	p, err := policies.Parse("test.hcl", []byte("plugin \"other\" {\n source = \"o.wasm\"\n}\nplugin \"p\" {\n source = \"p.wasm\"\n"+block+"\n}"), policies.Options{})
	if err != nil {
		t.Fatal(err)
	}
	plug, _ := p.Plugin("p")
	return plug
}

func (k *kit) state(r *wire.State) *wire.CapabilityReply {
	return k.s.Handle(context.Background(), &wire.CapabilityRequest{Op: &wire.CapabilityRequest_State{State: r}})
}

const (
	getState  = wire.StateOperation_STATE_GET
	setState  = wire.StateOperation_STATE_SET
	listState = wire.StateOperation_STATE_LIST
)

func stateKit(t *testing.T, size string, change ...func(*Config)) *kit {
	grant := more(t, "state {\n size = \""+size+"\"\n}").State()
	dir := t.TempDir()
	return newKit(t, "", append([]func(*Config){func(c *Config) {
		c.Kept = Kept{Grant: grant, Config: state.Config{Dir: dir, Owner: state.Owner{Name: "p"}, Size: int64(grant.Size)}}
	}}, change...)...)
}

func TestStateRequestsThatAreRefused(t *testing.T) {
	k := stateKit(t, "1KiB")
	for name, tt := range map[string]struct {
		request *wire.State
		code    wire.Code
		says    string
	}{
		"no operation":   {&wire.State{Key: "k"}, wire.Code_CODE_INVALID, "operation 0"},
		"an unknown one": {&wire.State{Operation: 9, Key: "k"}, wire.Code_CODE_INVALID, "operation 9"},
		"no key":         {&wire.State{Operation: getState}, wire.Code_CODE_INVALID, "1 to 256"},
		"a long key":     {&wire.State{Operation: setState, Key: strings.Repeat("k", 300)}, wire.Code_CODE_INVALID, "1 to 256"},
		"a key of bytes": {&wire.State{Operation: setState, Key: "\x00"}, wire.Code_CODE_INVALID, "printable"},
		"an unknown key": {&wire.State{Operation: getState, Key: "k"}, wire.Code_CODE_NOT_FOUND, `"k"`},
		"too much":       {&wire.State{Operation: setState, Key: "k", Value: make([]byte, 2000)}, wire.Code_CODE_LIMIT, "maximum 1024"},
		"a huge value":   {&wire.State{Operation: setState, Key: "k", Value: make([]byte, 1<<20+1)}, wire.Code_CODE_LIMIT, "maximum 1048576"},
		"a stale one":    {&wire.State{Operation: setState, Key: "k", Version: "x"}, wire.Code_CODE_CHANGED, `"k"`},
	} {
		t.Run(name, func(t *testing.T) { want(t, k.state(tt.request), tt.code, tt.says) })
	}
	if r := k.state(&wire.State{Operation: listState}); len(r.GetEntries()) > 0 || r.GetCode() != 0 {
		t.Errorf("something is kept: %v", r)
	}
	k.log.fail = errors.New("disk full")
	want(t, k.state(&wire.State{Operation: setState, Key: "unrecorded"}), wire.Code_CODE_INTERNAL, "audit log")
	k.log.fail = nil
	want(t, k.state(&wire.State{Operation: getState, Key: "unrecorded"}), wire.Code_CODE_NOT_FOUND, "")
	want(t, newKit(t, "").state(&wire.State{Operation: getState, Key: "k"}), wire.Code_CODE_DENIED, "state { }")
}

// Every change writes all of the state, so a guest cannot have it written for ever.
func TestChangesOfALargeStateAreRationed(t *testing.T) {
	now := time.Now()
	k := stateKit(t, "8MiB", func(c *Config) { c.Now = func() time.Time { return now } })
	for i := range 7 {
		if r := k.state(&wire.State{Operation: setState, Key: "k" + string(rune('0'+i)), Value: make([]byte, 1<<20)}); r.GetCode() != 0 {
			t.Fatalf("%d: %v", i, r)
		}
	}
	changed := 0
	for ; changed < 100; changed++ {
		if r := k.state(&wire.State{Operation: setState, Key: "small", Value: []byte("x")}); r.GetCode() != 0 {
			want(t, r, wire.Code_CODE_LIMIT, "too often")
			break
		}
	}
	if changed == 0 || changed > 12 {
		t.Errorf("7 MiB were written %d times at once", changed)
	}
	now = now.Add(time.Second)
	if r := k.state(&wire.State{Operation: setState, Key: "small"}); r.GetCode() != 0 {
		t.Errorf("a second later: %v", r)
	}
	if r := k.state(&wire.State{Operation: getState, Key: "k0"}); len(r.GetData()) != 1<<20 {
		t.Errorf("reading is rationed: %v", r.GetMessage())
	}
}

// A host that has just started knows as well what it is to write.
func TestTheFirstChangeIsRationedToo(t *testing.T) {
	dir := t.TempDir()
	there := func(c *Config) { c.Kept.Config.Dir = dir }
	k := stateKit(t, "64MiB", there)
	for i := range 9 {
		if r := k.state(&wire.State{Operation: setState, Key: "k" + string(rune('0'+i)), Value: make([]byte, 1<<20)}); r.GetCode() != 0 {
			t.Fatalf("%d: %v", i, r)
		}
	}
	now := time.Now()
	again := stateKit(t, "1MiB", there, func(c *Config) { c.Now = func() time.Time { return now } })
	changed := 0
	for ; again.state(&wire.State{Operation: wire.StateOperation_STATE_DELETE, Key: "none"}).GetCode() == 0; changed++ {
		if changed > 100 {
			t.Fatal("it is not rationed")
		}
	}
	if changed != 7 { // of 9 MiB, with 65 MiB at once
		t.Errorf("9 MiB were written %d times at once", changed)
	}
}

func TestInvocations(t *testing.T) {
	grants := more(t, "invoke \"lookup\" {\n tool = \"other.run\"\n}").Invokes()
	var got []byte
	result, failure := Invoked{Call: "c2", Result: []byte(`{"a":1}`)}, error(nil)
	k := newKit(t, "", func(c *Config) { c.Invokes = grants })
	k.s.caller.Invoke = func(_ context.Context, target policies.Invoke, arguments []byte, _ int64) (Invoked, error) {
		if target.Target() != "other.run" {
			t.Errorf("%+v", target)
		}
		got = arguments
		return result, failure
	}
	invoke := func(alias, arguments string) *wire.CapabilityReply {
		got = nil
		return k.s.Handle(context.Background(), &wire.CapabilityRequest{Op: &wire.CapabilityRequest_Invoke{
			Invoke: &wire.Invoke{Alias: alias, Arguments: []byte(arguments)}}})
	}
	r := invoke("lookup", `{}`)
	if b := k.read(r.GetHandle(), 0, 100); string(b.GetData()) != `{"a":1}` || r.GetStatus() != 0 || string(got) != `{}` {
		t.Errorf("%v: %q of %q", r, b.GetData(), got)
	}
	k.close(r.GetHandle())
	want(t, invoke("other", `{}`), wire.Code_CODE_DENIED, `"other"`)
	want(t, invoke("", `{}`), wire.Code_CODE_DENIED, "alias")
	want(t, invoke("lookup", strings.Repeat(" ", pluginkit.MaxRequestBody+1)), wire.Code_CODE_LIMIT, "maximum 2097152")
	failure = &RefusedError{Code: wire.Code_CODE_TIMEOUT, Message: "timed out"}
	want(t, invoke("lookup", `{}`), wire.Code_CODE_TIMEOUT, "timed out")
	failure = errors.New("/home/secret is gone")
	want(t, invoke("lookup", `{}`), wire.Code_CODE_INTERNAL, "the host failed")
	if got := k.log.summary(); got != "invoke allow, invoke_result allow, invoke deny, invoke deny, invoke deny, invoke allow, invoke_result error, invoke allow, invoke_result error" {
		t.Errorf("on record is %q", got)
	}
	failure, result = nil, Invoked{Status: 1, Result: []byte("no such city")}
	opened, last := 0, uint64(0)
	for range 40 {
		if r := invoke("lookup", `{}`); r.GetHandle() != 0 && r.GetStatus() == 1 {
			opened, last = opened+1, r.GetHandle()
		} else if got != nil {
			t.Error("a tool was called whose answer cannot be kept")
		}
	}
	if opened != k.b.limits.Handles {
		t.Errorf("%d are open", opened)
	}
	k.close(last)
	k.log.fail = errors.New("disk full")
	if want(t, invoke("lookup", `{}`), wire.Code_CODE_INTERNAL, "audit log"); got != nil {
		t.Error("it is not on record and was done")
	}
}

// The result of a call is there as a whole before anybody knows its size, so room for it
// is taken first, and what another body needs meanwhile is not lent out.
func TestRoomForAResultIsTakenBeforeTheCall(t *testing.T) {
	grants := more(t, "invoke \"lookup\" {\n tool = \"other.run\"\n}").Invokes()
	k := newKit(t, "", func(c *Config) {
		c.Invokes, c.Limits = grants, Limits{Memory: 1, Disk: MaxInvoked + 1000}
	})
	var rooms []int64
	invoke := func() *wire.CapabilityReply {
		return k.s.Handle(context.Background(), &wire.CapabilityRequest{Op: &wire.CapabilityRequest_Invoke{
			Invoke: &wire.Invoke{Alias: "lookup", Arguments: []byte(`{}`)}}})
	}
	k.s.caller.Invoke = func(_ context.Context, _ policies.Invoke, _ []byte, most int64) (Invoked, error) {
		rooms = append(rooms, most)
		if len(rooms) < 2 {
			// Another call of the plugin, while this one's result takes shape.
			want(t, invoke(), wire.Code_CODE_OK, "")
			r := invoke()
			want(t, r, wire.Code_CODE_LIMIT, "no room for a result")
		}
		return Invoked{Result: make([]byte, most)}, nil
	}
	want(t, invoke(), wire.Code_CODE_OK, "")
	if len(rooms) != 2 || rooms[0] != MaxInvoked || rooms[1] != 1000 {
		t.Errorf("there was room for %v bytes", rooms)
	}
}
