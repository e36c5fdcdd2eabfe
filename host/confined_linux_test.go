package host_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/host"
)

// What the kernel says of a sandbox with a guest in it: that the layers which
// the host ordered, and those which the sandbox puts on itself, are in force.
func TestARunningSandboxIsConfined(t *testing.T) {
	diagnosis, err := host.Doctor(t.Context(), host.Options{Sandbox: sandboxProgram(t)})
	if err != nil {
		t.Fatal(err)
	}
	on := map[string]bool{}
	for _, l := range diagnosis.Layers {
		on[l.Name] = l.On
	}
	h := open(t, rogue, host.Options{})
	if _, err := h.Call(t.Context(), "rogue.shout", []byte(`{"bytes": 1}`)); err != nil {
		t.Fatal(err)
	}
	for _, s := range h.Status() {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.PID))
		if err != nil {
			t.Fatal(err)
		}
		said := map[string][]string{}
		for line := range strings.Lines(string(status)) {
			name, rest, _ := strings.Cut(line, ":")
			said[name] = strings.Fields(rest)
		}
		for name, want := range map[string]string{
			"Seccomp": "2", "Seccomp_filters": "2", "NoNewPrivs": "1", "CapEff": strings.Repeat("0", 16), "CapPrm": strings.Repeat("0", 16),
		} {
			if strings.Join(said[name], " ") != want {
				t.Errorf("%s: %v, want %s", name, said[name], want)
			}
		}
		if on["namespaces"] && (len(said["NSpid"]) != 2 || said["NSpid"][1] != "1") {
			t.Errorf("NSpid: %v, want its number and 1", said["NSpid"])
		}
	}
}
