package launch

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host/internal/jail"
	"github.com/ringfence/ringfence/host/internal/stage"
	"github.com/ringfence/ringfence/internal/orders"
)

// confinement, if set, is the jail that every test's plugins start in.
var confinement *confined

type confined struct {
	trampoline string // staged
	jail       *jail.Jail
	program    string
}

// confine changes a Spec that names the built hostile plugin.
func (c *confined) confine(s *Spec) { s.Path, s.Jail = c.program, c.jail }

// inJail builds a jail with the hostile plugin in it.
func inJail(t testing.TB) *confined {
	t.Helper()
	dir := t.TempDir()
	trampoline := filepath.Join(dir, "built")
	if given := os.Getenv("LAUNCH_TEST_JAIL"); given != "" {
		trampoline = given
	} else {
		build := exec.Command("go", "build", "-o", trampoline, "../../../plugins/jail")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("build the trampoline: %v\n%s", err, out)
		}
	}
	staged := func(name string, item stage.Item) string {
		into := filepath.Join(dir, name)
		if err := os.Mkdir(into, 0o700); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Chmod(into, 0o700) })
		files, err := stage.Stage(into, item, stage.Item{Folder: true, As: jail.SocketFolder})
		if err != nil {
			t.Fatal(err)
		}
		return files[0].Path
	}
	trampoline = staged("jail", stage.Item{Path: trampoline, As: orders.Trampoline, Exec: true})
	j, err := jail.Open(t.Context(), trampoline)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return &confined{trampoline: trampoline, jail: j, program: staged("program", stage.Item{Path: hostile, As: "hostile", Exec: true})}
}

// refusedInside are the bad starts that a jailed plugin does not even get to,
// with what the kernel says.
var refusedInside = map[string]string{
	"symlink to another socket":   "permission denied",
	"hard link to another socket": "no such file or directory",
	"folder replaced by symlink":  "read-only file system",
	"named pipe":                  "permission denied",
	"another process serves":      "/dev/null: no such file or directory",
}

// What holds for a plugin without a jail holds for one inside: these are the
// tests of this package that do not ask for something that a jail refuses.
func TestConfined(t *testing.T) {
	confinement = inJail(t)
	defer func() { confinement = nil }()
	for name, test := range map[string]func(*testing.T){
		"good":            TestGoodPlugin,
		"kill":            TestKill,
		"done comes fast": TestDoneComesFast,
		"bad start":       TestBadStart,
		"context":         TestStartHonoursContext,
		"chatty":          TestChattyPluginDoesNotWedge,
		"unbroken stdout": TestUnbrokenStdoutAfterHandshake,
		"flood":           TestFloodIsThrottled,
		"stopped":         TestStoppedProcessIsKilled,
		"stubborn":        TestStubbornProcessIsKilled,
		"crash":           TestCrashTellsWhy,
		"CPU time":        TestCPUTimeIsRead,
		"lost connection": TestLostConnectionEndsProcess,
		"many at once":    TestManyAtOnce,
	} {
		t.Run(name, test)
	}
}

// jailed is a world whose processes are confined.
func jailed(t *testing.T) *world {
	t.Helper()
	confinement = inJail(t)
	t.Cleanup(func() { confinement = nil })
	return newWorld(t)
}

func (c *confined) has(t *testing.T, layer string) {
	t.Helper()
	for _, l := range c.jail.Found().Layers {
		if l.Name == layer && l.On {
			return
		}
	}
	t.Skipf("this machine gives no %s", layer)
}

// The whole tree dies with the process, sessions of their own included, which
// without a PID namespace get away (TestDetachedGrandchildHidesNothing).
func TestKillTakesTheTree(t *testing.T) {
	w := jailed(t)
	confinement.has(t, jail.Namespaces)
	p := w.start("children", "own-session")
	if n := len(detached()); n != 3 {
		t.Fatalf("%d grandchildren run, want 3", n)
	}
	p.Kill()
	if n := len(detached()); n != 0 {
		t.Errorf("%d grandchildren are left", n)
	}
}

// A frozen process dies too: SIGKILL passes a freeze of the unified hierarchy.
func TestFrozenProcessIsKilled(t *testing.T) {
	w := jailed(t)
	group := ""
	for _, at := range []string{"/sys/fs/cgroup/unified", "/sys/fs/cgroup"} {
		dir := filepath.Join(at, "launch-test-"+strconv.Itoa(os.Getpid()))
		if _, err := os.Stat(filepath.Join(at, "cgroup.procs")); err == nil && os.Mkdir(dir, 0o755) == nil {
			group = dir
			break
		}
	}
	if group == "" {
		t.Skip("no unified hierarchy to freeze in")
	}
	t.Cleanup(func() {
		eventually(t, "the group can be removed", func() bool { return os.Remove(group) == nil }, func() string { return group })
	})
	p := w.start("good")
	for _, f := range [][2]string{{"cgroup.procs", strconv.Itoa(p.PID())}, {"cgroup.freeze", "1"}} {
		if err := os.WriteFile(filepath.Join(group, f[0]), []byte(f[1]), 0); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "it is frozen", func() bool {
		b, err := os.ReadFile(filepath.Join(group, "cgroup.events"))
		return err == nil && strings.Contains(string(b), "frozen 1")
	}, func() string { return "" })
	p.Kill()
	if e := p.Exit(); !e.Killed {
		t.Errorf("exit: %+v", e)
	}
}

// The kernel's killing for memory is told from a crash and from the host's own
// killing.
func TestMemoryLimitIsTold(t *testing.T) {
	w := jailed(t)
	confinement.has(t, jail.Groups)
	s := w.spec("dies")
	s.Memory = 64 << 20
	p := w.startSpec(s)
	if got := ask(t, p, "eat 1048576"); got != "1048576" {
		t.Errorf("within the limit: %q", got)
	}
	if _, err := echo(t, p, "eat 268435456"); err == nil {
		t.Fatal("it could eat four times its limit")
	}
	if e := p.Exit(); e.Killed || e.Signal != unix.SIGKILL || !errors.Is(e.Cause, ErrMemoryLimit) {
		t.Errorf("exit: %+v", e)
	}
	p = w.startSpec(s)
	if err := unix.Kill(p.PID(), unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if e := p.Exit(); e.Cause != nil {
		t.Errorf("somebody's SIGKILL passes for the memory limit: %+v", e)
	}
}

// A layer that fails ends the start, and says which and why.
func TestFailedLayerEndsTheStart(t *testing.T) {
	w := jailed(t)
	s := w.spec("good")
	s.Loader = "/no/such/loader" // Landlock is to leave it accessible
	_, err := Start(t.Context(), s)
	var failed *orders.Failure
	if !errors.As(err, &failed) || failed.Line.Layer != orders.Landlock || !errors.Is(err, unix.ENOENT) {
		t.Errorf("error = %v", err)
	}
}

// A third party's plugin gets its filter before its first instruction, and
// serves all the same.
func TestNativeFilterIsInstalled(t *testing.T) {
	w := jailed(t)
	for filter, mode := range map[string]string{"": "0", "native": "2"} {
		s := w.spec("good")
		s.Seccomp = filter
		p := w.startSpec(s)
		if got := ask(t, p, "hello"); !strings.Contains(got, "hello") {
			t.Errorf("filter %q: %q", filter, got)
		}
		b, err := os.ReadFile("/proc/" + strconv.Itoa(p.PID()) + "/status")
		if err != nil || !strings.Contains(string(b), "\nSeccomp:\t"+mode+"\n") {
			t.Errorf("filter %q: want mode %s (%v):\n%s", filter, mode, err, b)
		}
		p.Kill()
	}
}
