package cli_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

const patient = `
ringfence {
  state_dir = "STATE"
}
plugin "rogue" {
  source = "TOOLS/rogue.wasm"
  limits {
    memory       = "64MiB"
    call_timeout = "10m"
    cpu_time     = "10m"
  }
}
`

func TestInterruptDuringACallLeavesNothing(t *testing.T) {
	for name, signal := range map[string]syscall.Signal{"Ctrl-C": syscall.SIGINT, "terminated": syscall.SIGTERM, "hung up": syscall.SIGHUP} {
		t.Run(name, func(t *testing.T) {
			d := deploy(t, patient)
			cmd := d.start("call", "rogue.loop")
			eventually(t, "a sandbox runs", func() bool { return len(d.sandboxes()) > 0 })
			if err := cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			cmd.Wait()
			if code := cmd.ProcessState.ExitCode(); code != 130 {
				t.Errorf("exit code %d, want 130", code)
			}
			d.verifyNothingIsLeft()
		})
	}
}

func TestInterruptDuringACompilationLeavesNothing(t *testing.T) {
	d := deploy(t, strings.Replace(patient, "64MiB", "96MiB", 1)) // compiled by no other test
	dropCache(t, d)
	cmd := d.start("call", "rogue.look")
	eventually(t, "the compiling process runs", func() bool { return len(d.sandboxes()) > 0 })
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 130 {
		t.Errorf("exit code %d, want 130", code)
	}
	d.verifyNothingIsLeft()
}

func TestSandboxesDieWithAHostThatIsKilled(t *testing.T) {
	d := deploy(t, patient)
	cmd := d.start("call", "rogue.loop")
	eventually(t, "a sandbox runs", func() bool { return len(d.sandboxes()) > 0 })
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	eventually(t, "the sandbox dies with its host", func() bool { return len(d.sandboxes()) == 0 })
	left, err := filepath.Glob(filepath.Join(d.state, "run", "*"))
	if err != nil || len(left) == 0 {
		t.Fatalf("a killed host cannot clean up, but left %v (%v)", left, err)
	}
	if out := d.run("call", "rogue.look"); out.code != 0 {
		t.Fatalf("%+v", out)
	}
	// The next start has removed what was left; deploy's check sees to it.
}

func TestAHostThatIsKilledWhileItCompilesLeavesNothingToTheNext(t *testing.T) {
	d := deploy(t, strings.Replace(patient, "64MiB", "97MiB", 1)) // compiled by no other test
	dropCache(t, d)
	cmd := d.start("call", "rogue.look")
	eventually(t, "the compiling process runs and its host is ready for its output", func() bool {
		half, err := filepath.Glob(filepath.Join(d.state, "modules", "new-*"))
		return err == nil && len(half) > 0 && len(d.sandboxes()) > 0
	})
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	eventually(t, "the compiling process dies with its host", func() bool { return len(d.sandboxes()) == 0 })
	if out := d.run("cache", "list"); out.code != 0 {
		t.Fatalf("%+v", out)
	}
	half, err := filepath.Glob(filepath.Join(d.state, "modules", "new-*"))
	if err != nil || len(half) > 0 {
		t.Errorf("half-written: %v (%v)", half, err)
	}
	if out := d.run("call", "rogue.look"); out.code != 0 {
		t.Fatalf("%+v", out)
	}
}

func TestInterruptWhileAnotherHostCompilesEndsTheWait(t *testing.T) {
	d := deploy(t, strings.Replace(patient, "64MiB", "98MiB", 1))
	dropCache(t, d)
	compiles := d.start("call", "rogue.look")
	eventually(t, "one host compiles", func() bool { return len(d.sandboxes()) > 0 })
	waits := d.start("call", "rogue.look")
	locks, err := filepath.Glob(filepath.Join(d.state, "modules", "lock-*"))
	if err != nil || len(locks) == 0 {
		t.Fatalf("locks: %v (%v)", locks, err)
	}
	eventually(t, "the other waits for the lock", func() bool { return holdsOpen(waits.Process.Pid, locks) })
	if err := waits.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	waits.Wait()
	if code := waits.ProcessState.ExitCode(); code != 130 {
		t.Errorf("exit code %d, want 130", code)
	}
	if err := compiles.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	compiles.Wait()
}

func TestInterruptDuringTheDemoLeavesNothing(t *testing.T) {
	d := deploy(t, simple)
	d.env = []string{"XDG_STATE_HOME=" + filepath.Dir(d.state), "TMPDIR=" + t.TempDir()}
	cmd := d.start("demo")
	eventually(t, "a sandbox runs", func() bool { return len(d.sandboxes()) > 0 })
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 130 {
		t.Errorf("exit code %d, want 130", code)
	}
	if left, err := os.ReadDir(strings.TrimPrefix(d.env[1], "TMPDIR=")); err != nil || len(left) > 0 {
		t.Errorf("temporary files: %v (%v)", left, err)
	}
}

// holdsOpen reports whether a process has one of the files open.
func holdsOpen(pid int, paths []string) bool {
	fds, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	return slices.ContainsFunc(fds, func(fd string) bool {
		target, err := os.Readlink(fd)
		return err == nil && slices.Contains(paths, target)
	})
}

func TestASandboxThatIsStoppedOrKilledFailsTheCall(t *testing.T) {
	for name, tt := range map[string]struct {
		signal syscall.Signal
		args   []string
		says   string
	}{
		"killed":  {syscall.SIGKILL, []string{"call", "rogue.loop"}, "signal 9"},
		"stopped": {syscall.SIGSTOP, []string{"call", "rogue.loop", "--timeout", "4s"}, "timed out"},
	} {
		t.Run(name, func(t *testing.T) {
			d := deploy(t, patient)
			go func() {
				eventually(t, "a sandbox runs", func() bool { return len(d.serving()) > 0 })
				for _, pid := range d.serving() {
					syscall.Kill(pid, tt.signal)
				}
			}()
			d.run(tt.args...).wantLine(t, 4, tt.says)
		})
	}
}

func TestACompiledModuleThatWasChangedIsCompiledAgain(t *testing.T) {
	d := deploy(t, simple)
	const compiledAgain = "compiled rogue"
	call := func() output { return d.run("call", "rogue.look") }
	if out := call(); out.code != 0 {
		t.Fatalf("%+v", out)
	}
	if out := call(); out.code != 0 || strings.Contains(out.stderr, compiledAgain) {
		t.Fatalf("the second call did not use the cache: %+v", out)
	}
	damageCache(t, d)
	if out := call(); out.code != 0 || !strings.Contains(out.stderr, compiledAgain) {
		t.Fatalf("a changed entry was loaded: %+v", out)
	}
	if out := d.run("cache", "clear"); out.code != 0 || !strings.Contains(out.stdout, "dropped") {
		t.Fatalf("%+v", out)
	}
}

func TestTwoHostsThatStartAtOnceCompileOnce(t *testing.T) {
	d := deploy(t, simple)
	dropCache(t, d)
	var wg sync.WaitGroup
	outs := make([]output, 3)
	for i := range outs {
		wg.Go(func() { outs[i] = d.run("call", "rogue.look") })
	}
	wg.Wait()
	compilations := 0
	for _, o := range outs {
		if o.code != 0 {
			t.Errorf("%+v", o)
		}
		compilations += strings.Count(o.stderr, "compiled rogue")
	}
	if compilations != 1 {
		t.Errorf("%d compilations for %d hosts", compilations, len(outs))
	}
}

// entries lists the compiled modules, none of which may be a file that other
// tests share.
func entries(t *testing.T, d *deployment) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(d.state, "modules", "*.compiled"))
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func dropCache(t *testing.T, d *deployment) {
	t.Helper()
	for _, path := range entries(t, d) {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

// damageCache changes one byte in the middle of every entry.
func damageCache(t *testing.T, d *deployment) {
	t.Helper()
	for _, path := range entries(t, d) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(path); err != nil { // other tests have links to it
			t.Fatal(err)
		}
		b[len(b)/2] ^= 0x40
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
