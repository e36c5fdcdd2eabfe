package cli_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/host"
)

func TestStatusShowsTheSandboxesOfARunningHost(t *testing.T) {
	d := deploy(t, simple)
	if out := d.run("status"); out.code != 0 || !strings.Contains(out.stdout, "no sandbox runs") {
		t.Fatalf("before anything runs: %+v", out)
	}
	d.run("cache", "warm")
	call := d.start("call", "rogue.sleep", `{"milliseconds": 600000}`)
	defer func() {
		call.Process.Signal(os.Interrupt)
		call.Wait()
	}()
	var report struct{ Hosts []host.HostStatus }
	eventually(t, "the call runs", func() bool {
		out := d.run("status", "--json")
		if err := json.Unmarshal([]byte(out.stdout), &report); err != nil {
			t.Fatalf("%v: %+v", err, out)
		}
		return len(report.Hosts) == 1 && len(report.Hosts[0].Sandboxes) == 1 && report.Hosts[0].Sandboxes[0].Calls == 1
	})
	s := report.Hosts[0].Sandboxes[0]
	if s.Plugin != "rogue" || s.Engine != "wasmer" || s.Transport != "ring" || s.Reason != "" || !s.Busy || len(s.Rings) != 4 || s.Refused != 0 {
		t.Errorf("%+v", s)
	}
	if r := s.Rings[0]; r.Lane != "calls" || r.Direction != "out" || r.Bytes != 4<<20 || r.Messages != 1 || r.Carried == 0 {
		t.Errorf("%+v", r)
	}
	out := d.run("status")
	if !strings.Contains(out.stdout, "TRANSPORT") || !strings.Contains(out.stdout, "rogue   wasmer") || !strings.Contains(out.stdout, "ring") || !strings.Contains(out.stdout, "busy") || strings.Count(out.stdout, "\n") != 2 {
		t.Errorf("%s", out.stdout)
	}
}
