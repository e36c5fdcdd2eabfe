package host_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/pluginkit/ringwire"
)

// The ring is attached in a process that is jailed, and stage two of its filter
// is in force when the first call comes.
func TestCallsGoOverTheRing(t *testing.T) {
	h := open(t, rogue, host.Options{})
	for range 3 {
		r, err := h.Call(t.Context(), "rogue.shout", []byte(`{"bytes": 3000000}`))
		if err != nil || r.Transport != "ring" || len(r.JSON) < 3_000_000 {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	s := h.Status()
	if len(s) != 1 || s[0].Transport != "ring" || s[0].Reason != "" || s[0].Calls != 3 || len(s[0].Rings) != 4 {
		t.Errorf("%+v", s)
	}
}

func TestCallsGoOverGRPCWhenTheHostIsTold(t *testing.T) {
	h := open(t, rogue, host.Options{NoRing: true})
	r, err := h.Call(t.Context(), "rogue.shout", []byte(`{"bytes": 10}`))
	if err != nil || r.Transport != "grpc" {
		t.Fatalf("%+v, %v", r, err)
	}
	if s := h.Status(); len(s) != 1 || s[0].Reason != "the host was told to use gRPC" || s[0].Rings != nil || s[0].Calls != 1 {
		t.Errorf("%+v", s)
	}
}

// Whatever is wrong with a ring, the same call works over gRPC, and status says
// why, in words that a terminal can be trusted with.
func TestEveryKindOfNoRingFallsBackToGRPC(t *testing.T) {
	for way, reason := range map[string]string{
		"":                       "does not offer a ring",
		"no negotiation":         "does not negotiate",
		"ring of another layout": fmt.Sprintf("knows the layouts [%d %d] of a ring, the host knows %d", ringwire.Layout-1, ringwire.Layout+1, ringwire.Layout),
		"ring of other pages":    "has pages of 65536 bytes",
		"ring that is small":     "takes rings of at most 65536 bytes, the policy asks for 4194304",
		"ring of one lane":       "takes 1 lanes, the host needs 2",
		"ring refused":           "refused it: \\x1b[2J",
		"ring broken":            "refused it: \\x1b[2J",
		"ring of later":          "refused it: \\x1b[2J",
	} {
		t.Run(way, func(t *testing.T) {
			h := openHostile(t, way)
			r, err := h.Call(t.Context(), "bad.good", nil)
			if err != nil || r.Transport != "grpc" {
				t.Fatalf("%+v, %v", r, err)
			}
			s := h.Status()
			if len(s) != 1 || s[0].Transport != "grpc" || !strings.Contains(s[0].Reason, reason) {
				t.Fatalf("%+v", s)
			}
			if strings.ContainsAny(s[0].Reason, "\x1b\n\r\u202e") || len(s[0].Reason) > 300 {
				t.Errorf("%q", s[0].Reason)
			}
		})
	}
}

func TestASandboxThatConfirmsOtherTermsIsNotStarted(t *testing.T) {
	h := openHostile(t, "ring of other terms")
	if _, err := h.Call(t.Context(), "bad.good", nil); !errors.Is(err, host.ErrSandbox) || !strings.Contains(err.Error(), "other terms") {
		t.Errorf("%v", err)
	}
}

// One that has agreed to a ring and does not serve it is as one that hangs.
func TestASandboxThatDoesNotServeItsRingTimesOut(t *testing.T) {
	h := openHostile(t, "ring that nobody serves")
	for range 2 {
		if _, err := h.Call(t.Context(), "bad.good", nil); !errors.Is(err, host.ErrTimeout) {
			t.Errorf("%v", err)
		}
	}
}
