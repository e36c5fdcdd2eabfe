package guest_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/pluginkit/guest"
	"github.com/ringfence/ringfence/pluginkit/guest/guesttest"
)

func TestStateIsKept(t *testing.T) {
	host := (&guesttest.Host{Kept: map[string]string{"a/1": "one"}}).Use(t)
	value, version, err := guest.State.Read("a/1")
	if string(value) != "one" || version == "" || err != nil {
		t.Fatalf("%q, %q, %v", value, version, err)
	}
	next, err := guest.State.Replace("a/1", []byte("uno"), version)
	if err != nil || next == version {
		t.Errorf("%q, %v", next, err)
	}
	if err := errors.Join(guest.State.Set("b", nil), guest.State.Create("a/2", []byte("two")), guest.State.Delete("b"), guest.State.Delete("b")); err != nil {
		t.Error(err)
	}
	if keys, err := guest.State.Keys("a/"); !reflect.DeepEqual(keys, []string{"a/1", "a/2"}) || err != nil {
		t.Errorf("%q, %v", keys, err)
	}
	_, stale := guest.State.Replace("a/1", nil, version)
	_, none := guest.State.Get("b")
	for err, want := range map[error]error{
		stale: guest.ErrChanged, none: guest.ErrNotFound, guest.State.Create("a/1", nil): guest.ErrExists,
		guest.State.Set("", nil): guest.ErrMalformed, guest.State.Set("x", make([]byte, 1<<20+1)): guest.ErrLimit,
	} {
		if !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
	count := func(old []byte) ([]byte, error) { return append(old, '|'), nil }
	if err := errors.Join(guest.State.Update("n", count), guest.State.Update("n", count)); err != nil || host.Kept["n"] != "||" {
		t.Errorf("%q, %v", host.Kept["n"], err)
	}
	host.Kept = nil
	if _, err := guest.State.Get("a/1"); !errors.Is(err, guest.ErrDenied) {
		t.Errorf("without a grant: %v", err)
	}
}

func TestInvokedToolsAnswer(t *testing.T) {
	type point struct {
		Lat float64 `json:"lat"`
		Lon float64 `json:"lon"`
	}
	(&guesttest.Host{Invokes: map[string]func([]byte) (any, error){
		"lookup": func(arguments []byte) (any, error) {
			if string(arguments) != `{"city":"Bern"}` {
				return nil, fmt.Errorf("%w: got %s", guesttest.ErrBadArguments, arguments)
			}
			return map[string]any{"lat": 46.9, "lon": 7.4, "source": "a map"}, nil
		},
		"broken": func([]byte) (any, error) { return nil, errors.New("no such city") },
		"slow":   func([]byte) (any, error) { return nil, guest.ErrTimeout },
	}}).Use(t)
	type args struct {
		City string `json:"city"`
	}
	if p, err := guest.Invoke[point]("lookup", args{"Bern"}); p != (point{46.9, 7.4}) || err != nil {
		t.Errorf("%+v, %v", p, err)
	}
	if raw, err := guest.Invoke[json.RawMessage]("lookup", args{"Bern"}); !strings.Contains(string(raw), "a map") || err != nil {
		t.Errorf("%s, %v", raw, err)
	}
	var failed *guest.ToolError
	if _, err := guest.Invoke[point]("lookup", nil); !errors.As(err, &failed) || !failed.BadArguments {
		t.Errorf("%v", err)
	}
	if _, err := guest.Invoke[point]("broken", nil); !errors.As(err, &failed) || failed.BadArguments || failed.Text != "no such city" {
		t.Errorf("%v", err)
	}
	for err, want := range map[error]error{
		invoked[point]("slow", nil):             guest.ErrTimeout,
		invoked[point]("other", nil):            guest.ErrDenied,
		invoked[string]("lookup", args{"Bern"}): guest.ErrMalformed,
		invoked[point]("lookup", func() {}):     guest.ErrMalformed,
		invoked[func()]("lookup", nil):          guest.ErrMalformed,
	} {
		if !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
}

func invoked[T any](alias string, args any) error {
	_, err := guest.Invoke[T](alias, args)
	return err
}

func TestTheDeadlineIsTheCalls(t *testing.T) {
	if _, ok := guest.Deadline(); ok {
		t.Error("without a sandbox there is a deadline")
	}
	want := time.Now().Add(time.Hour)
	(&guesttest.Host{Deadline: want}).Use(t)
	if end, ok := guest.Deadline(); !ok || end.Sub(want).Abs() > time.Minute {
		t.Errorf("%v, %t; want %v", end, ok, want)
	}
}
