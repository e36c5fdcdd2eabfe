package host_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ringfence/ringfence/host"
)

const ringed = `
ringfence {
  state_dir = "STATE"
}
plugin "rogue" {
  source = "TOOLS/rogue.wasm"
  limits {
    memory    = "64MiB"
    ring      = "64KiB"
    ring_rate = "1MiB"
  }
}
`

func TestTheRingHasThePolicysSize(t *testing.T) {
	h := open(t, ringed, host.Options{})
	if _, err := h.Call(t.Context(), "rogue.shout", []byte(`{"bytes": 100000}`)); err != nil {
		t.Fatal(err)
	}
	s := h.Status()
	if len(s) != 1 || s[0].Transport != "ring" || s[0].Rings[0].Bytes != 64<<10 || s[0].Rings[3].Bytes != 64<<10 {
		t.Errorf("%+v", s)
	}
}

// Stage two of the filter is in force: the files of the new memory come in over the
// host's socket, and are mapped, all the same.
func TestAFullRingGrowsInItsJail(t *testing.T) {
	h := open(t, strings.ReplaceAll(ringed, `ring_rate = "1MiB"`, `ring_max  = "256KiB"`), host.Options{})
	shout := func(bytes int) {
		t.Helper()
		r, err := h.Call(t.Context(), "rogue.shout", fmt.Appendf(nil, `{"bytes": %d}`, bytes))
		if err != nil || len(r.JSON) < bytes || r.Transport != "ring" {
			t.Fatalf("%d bytes over %q, %v", len(r.JSON), r.Transport, err)
		}
	}
	shout(10)
	pid := h.Status()[0].PID
	for calls := 0; h.Status()[0].Alerts == 0; calls++ {
		if calls > 100 {
			t.Fatalf("%+v", h.Status())
		}
		shout(3_000_000)
	}
	shout(10)
	s := h.Status()
	if len(s) != 1 || s[0].PID != pid || s[0].Grown != 2 || !strings.Contains(s[0].Crowded, "262144") || s[0].Full == 0 {
		t.Errorf("%+v, and process %d before", s, pid)
	}
	for _, ring := range s[0].Rings {
		if ring.Bytes != 256<<10 {
			t.Errorf("%+v", ring)
		}
	}
}

// A plugin that sends more than its rate is slowed and not killed: one second's
// worth goes at once, the rest at the rate, whatever its calls travel over.
func TestAPluginOverItsRingRateIsSlowed(t *testing.T) {
	for way, opts := range map[string]host.Options{"ring": {}, "grpc": {NoRing: true}} {
		t.Run(way, func(t *testing.T) {
			h := open(t, ringed, opts)
			if _, err := h.Call(t.Context(), "rogue.shout", []byte(`{"bytes": 10}`)); err != nil {
				t.Fatal(err)
			}
			pid, began := h.Status()[0].PID, time.Now()
			r, err := h.Call(t.Context(), "rogue.shout", []byte(`{"bytes": 3000000}`))
			if err != nil || len(r.JSON) < 3_000_000 || r.Transport != way {
				t.Fatal(r.Transport, err)
			}
			if took := time.Since(began); took < time.Second {
				t.Errorf("3 MB at 1 MiB a second took %s", took)
			}
			if now := h.Status(); len(now) != 1 || now[0].PID != pid {
				t.Errorf("%+v, and process %d before", now, pid)
			}
		})
	}
}
