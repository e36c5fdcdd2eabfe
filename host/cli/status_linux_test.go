package cli_test

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
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

// A host that hangs, and one of somebody who plays a host, hide nothing of the others,
// and steer no terminal.
func TestStatusOfHostsThatMisbehave(t *testing.T) {
	d := deploy(t, simple)
	play := func(name, answer string) {
		folder := filepath.Join(d.state, "run", name)
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("unix", filepath.Join(folder, "status"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			l.Close()
			os.RemoveAll(folder)
		})
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				t.Cleanup(func() { c.Close() })
				if answer != "" {
					_, _ = c.Write([]byte(answer))
					c.Close()
				}
			}
		}()
	}
	play("hung", "")
	play("hung2", "")
	play("forged", `{"pid":7,"sandboxes":[{"plugin":"evil\u001b[2J","transport":"ri\u202eng","reason":"a\nb","rings":[{"lane":"x\u0007","bytes":4096}]}]}`)
	out := d.run("status")
	if out.code != 4 || !strings.Contains(out.stdout, "evil") || strings.ContainsAny(out.stdout, "\x1b\u202e\x07") || strings.Count(out.stdout, "\n") != 2 ||
		strings.Count(out.stderr, "does not answer") != 2 || strings.Contains(out.stderr, "/proc/self") {
		t.Errorf("%+v", out)
	}
	out = d.run("status", "--json")
	var report struct {
		Hosts    []host.HostStatus
		Problems []string
	}
	if err := json.Unmarshal([]byte(out.stdout), &report); err != nil || out.code != 4 || len(report.Hosts) != 1 || len(report.Problems) != 2 {
		t.Errorf("%v, %+v", err, out)
	}
}
