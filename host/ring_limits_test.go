package host_test

import (
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

// A plugin that sends more than its rate is slowed and not killed: one second's
// worth goes at once, the rest at the rate.
func TestAPluginOverItsRingRateIsSlowed(t *testing.T) {
	h := open(t, ringed, host.Options{})
	if _, err := h.Call(t.Context(), "rogue.shout", []byte(`{"bytes": 10}`)); err != nil {
		t.Fatal(err)
	}
	pid, began := h.Status()[0].PID, time.Now()
	r, err := h.Call(t.Context(), "rogue.shout", []byte(`{"bytes": 3000000}`))
	if err != nil || len(r.JSON) < 3_000_000 {
		t.Fatal(err)
	}
	if took := time.Since(began); took < time.Second {
		t.Errorf("3 MB at 1 MiB a second took %s", took)
	}
	if now := h.Status(); len(now) != 1 || now[0].PID != pid {
		t.Errorf("%+v, and process %d before", now, pid)
	}
}
