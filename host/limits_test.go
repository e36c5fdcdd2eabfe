package host_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host"
)

// statsOf reads the counters of one plugin.
func statsOf(t *testing.T, h *host.Host, plugin string) host.PluginStats {
	t.Helper()
	for _, p := range h.Stats().Plugins {
		if p.Plugin == plugin {
			return p
		}
	}
	t.Fatalf("no counters of %q", plugin)
	return host.PluginStats{}
}

// layer says whether this machine has a layer of the jail.
func layer(t *testing.T, name string) bool {
	t.Helper()
	d, err := host.Doctor(t.Context(), host.Options{Sandbox: sandboxProgram(t)})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range d.Layers {
		if l.Name == name {
			return l.On
		}
	}
	return false
}

// causesRecorded lists the causes in an audit log, by kind of record.
func causesRecorded(t *testing.T, path string) map[string][]string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	causes := map[string][]string{}
	for line := range strings.Lines(string(b)) {
		var r struct {
			Kind    string
			Details struct{ Cause string }
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		if r.Details.Cause != "" {
			causes[r.Kind] = append(causes[r.Kind], r.Details.Cause)
		}
	}
	return causes
}

// signalBusy sends a signal to the sandbox of a plugin, once there is a busy one.
func signalBusy(t *testing.T, h *host.Host, plugin string, signal unix.Signal) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		for _, s := range h.Status() {
			if s.Plugin == plugin && s.Busy {
				if err := unix.Kill(s.PID, signal); err != nil {
					t.Error(err)
				}
				return
			}
		}
	}
	t.Error("no call began")
}

// What a sandbox dies of is told apart in the error, the audit log and the
// counters, and the next call gets a new one.
func TestDeathsAreToldApart(t *testing.T) {
	groups := layer(t, "control groups")
	defer host.SetBesideGuest(64 << 20)()
	for _, tt := range []struct {
		name, way, tool string
		signal          unix.Signal // from outside, while the call runs
		kind            error
		cause           host.Cause
		says            string
		dies            bool // by something else than the host's choice
		cpu, wall       string
	}{
		{name: "memory", tool: "eat", kind: host.ErrMemory, cause: host.CauseSandboxMemory, says: "memory limit of the process", dies: true},
		{name: "segmentation fault", tool: "segfault", kind: host.ErrSandbox, cause: host.CauseSandboxCrashed, says: "code 2", dies: true},
		{name: "exit", tool: "leave", kind: host.ErrSandbox, cause: host.CauseSandboxCrashed, says: "code 9", dies: true},
		{name: "killed from outside", tool: "sleep", signal: unix.SIGKILL, kind: host.ErrSandbox, cause: host.CauseSandboxKilled, says: "killed from outside", dies: true},
		{name: "refused call, by name", tool: "open_a_socket", kind: host.ErrSandbox, cause: host.CauseSyscall, says: `system call "socket" is not allowed (SIGSYS)`, dies: true},
		{name: "refused by stage two", tool: "make_code", kind: host.ErrSandbox, cause: host.CauseSyscall, says: "a system call that is not allowed (SIGSYS)", dies: true},
		{name: "CPU time", tool: "burn", kind: host.ErrCPUTime, cause: host.CauseCPUTime, says: "cpu_time = 500ms", cpu: "500ms"},
		{name: "wall time", tool: "sleep", kind: host.ErrTimeout, cause: host.CauseTimeout, says: "call_timeout", wall: "2s"},
		{name: "wall time of a stopped one", tool: "sleep", signal: unix.SIGSTOP, kind: host.ErrTimeout, cause: host.CauseTimeout, says: "call_timeout", wall: "2s"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.cause == host.CauseSandboxMemory && !groups {
				t.Skip("no control groups here: death for want of memory looks like any SIGKILL")
			}
			h, audit := openTaken(t, tt.way, fmt.Sprintf("cpu_time = %q", cmp.Or(tt.cpu, "60s")), fmt.Sprintf("call_timeout = %q", cmp.Or(tt.wall, "60s")))
			if tt.signal != 0 {
				var sent sync.WaitGroup
				sent.Go(func() { signalBusy(t, h, "bad", tt.signal) })
				defer sent.Wait()
			}
			_, err := h.Call(t.Context(), "bad."+tt.tool, nil)
			if !errors.Is(err, tt.kind) || host.CauseOf(err) != tt.cause || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v (cause %q), want %v (cause %q) saying %q", err, host.CauseOf(err), tt.kind, tt.cause, tt.says)
			}
			checkError(t, err)
			if _, err := h.Call(t.Context(), "bad.good", nil); err != nil {
				t.Errorf("the next call: %v", err)
			}
			s := statsOf(t, h, "bad")
			if s.Calls != 2 || s.Failures[tt.cause] != 1 || s.Failed() != 1 || s.Launches != 2 || s.Restarts != 1 {
				t.Errorf("counted %+v", s)
			}
			if err := h.Close(); err != nil {
				t.Error(err)
			}
			recorded := causesRecorded(t, audit)
			if got := recorded["result"]; len(got) != 1 || got[0] != string(tt.cause) {
				t.Errorf("recorded %v", recorded)
			}
			if got := recorded["end"]; tt.dies != (len(got) == 1 && got[0] == string(tt.cause)) || !tt.dies && len(got) != 0 {
				t.Errorf("the sandbox's end was recorded as %v", got)
			}
			if got := statsOf(t, h, "bad").Deaths; tt.dies != (got[tt.cause] == 1) || !tt.dies && len(got) != 0 {
				t.Errorf("deaths: %v", got)
			}
		})
	}
}

// A sandbox that computes while nobody calls is ended, as a call is that
// computes too long; one that does nothing stays.
func TestASandboxMayNotComputeBetweenCalls(t *testing.T) {
	h, audit := openTaken(t, "", `cpu_time = "500ms"`, `call_timeout = "60s"`)
	for _, tool := range []string{"other.good", "bad.burn_afterwards"} {
		if _, err := h.Call(t.Context(), tool, nil); err != nil {
			t.Fatal(err)
		}
	}
	for statsOf(t, h, "bad").Deaths[host.CauseIdleCPU] == 0 {
		if t.Context().Err() != nil {
			t.Fatal("it computes on")
		}
		time.Sleep(10 * time.Millisecond)
	}
	if _, err := h.Call(t.Context(), "bad.good", nil); err != nil {
		t.Error(err)
	}
	if s := statsOf(t, h, "bad"); s.Restarts != 1 || s.Failed() != 0 {
		t.Errorf("counted %+v", s)
	}
	if s := statsOf(t, h, "other"); len(s.Deaths) != 0 || s.Launches != 1 {
		t.Errorf("the quiet one: %+v", s)
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	if got := causesRecorded(t, audit)["end"]; len(got) != 1 || got[0] != string(host.CauseIdleCPU) {
		t.Errorf("recorded %v", got)
	}
}

// A process that was stopped between two calls costs the next one its time, and
// no more.
func TestAStoppedSandboxIsReplaced(t *testing.T) {
	h, _ := openTaken(t, "", `call_timeout = "2s"`)
	if _, err := h.Call(t.Context(), "bad.good", nil); err != nil {
		t.Fatal(err)
	}
	for _, s := range h.Status() {
		if err := unix.Kill(s.PID, unix.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		waitStopped(t, s.PID)
	}
	if _, err := h.Call(t.Context(), "bad.good", nil); !errors.Is(err, host.ErrTimeout) {
		t.Errorf("got %v, want ErrTimeout", err)
	}
	if _, err := h.Call(t.Context(), "bad.good", nil); err != nil {
		t.Errorf("the next call: %v", err)
	}
}

func waitStopped(t *testing.T, pid int) {
	t.Helper()
	for t.Context().Err() == nil {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), ") T ") {
			return
		}
		time.Sleep(time.Millisecond)
	}
}
