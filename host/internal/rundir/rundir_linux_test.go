package rundir

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) {
	names, _ := os.ReadDir("/proc/self/fd")
	code := m.Run()
	after, _ := os.ReadDir("/proc/self/fd")
	if len(after) > len(names)+2 && code == 0 { // the poller's own two
		fmt.Fprintf(os.Stderr, "open files: %d before the tests, %d after\n", len(names), len(after))
		code = 1
	}
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func open(t *testing.T, base string) *Dir {
	t.Helper()
	d, err := Open(base)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

// die gives up everything that a killed host would, and removes nothing.
func die(d *Dir) {
	_ = d.run.Close()
	_ = d.dir.Close()
	_ = d.lock.Close()
	d.run, d.dir, d.lock = nil, nil, nil
}

func runEntries(t *testing.T, base string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(base, runName))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestOpenAndClose(t *testing.T) {
	base := filepath.Join(t.TempDir(), "state", "ringfence")
	d := open(t, base)
	for path, want := range map[string]os.FileMode{base: 0o700, filepath.Dir(d.Path()): 0o700, d.Path(): 0o700} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v, want mode %v", path, info.Mode(), err, want)
		}
	}
	sub, err := d.Sub("one")
	if err != nil || sub != filepath.Join(d.Path(), "one") {
		t.Fatalf("Sub = %s, %v", sub, err)
	}
	for _, name := range []string{"one", "", ".", "..", "a/b", "../x", recordIn, "a\x00", strings.Repeat("x", 300)} {
		if _, err := d.Sub(name); err == nil {
			t.Errorf("Sub(%q) succeeded", clipped(name))
		}
	}
	for _, name := range []string{"", ".", "..", "../" + filepath.Base(d.Path()), recordIn} {
		if err := d.Remove(name); err == nil {
			t.Errorf("Remove(%q) succeeded", name)
		}
	}
	if err := errors.Join(d.Close(), d.Close()); err != nil {
		t.Fatal(err)
	}
	if left := runEntries(t, base); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	if _, err := d.Sub("two"); err == nil {
		t.Error("Sub after Close succeeded")
	}
	if err := d.Remove("one"); err != nil {
		t.Errorf("Remove after Close: %v", err)
	}
}

func clipped(s string) string { return s[:min(len(s), 20)] }

func TestOpenRefusesUnsafeBase(t *testing.T) {
	for name, make := range map[string]func(dir string) string{
		"writable by the group": func(d string) string { _ = os.Chmod(d, 0o770); return d },
		"writable by all":       func(d string) string { _ = os.Chmod(d, 0o707); return d },
		"run writable by all": func(d string) string {
			_ = os.Mkdir(filepath.Join(d, runName), 0o700)
			_ = os.Chmod(filepath.Join(d, runName), 0o777)
			return d
		},
		"run is a symlink": func(d string) string {
			_ = os.Symlink(os.TempDir(), filepath.Join(d, runName))
			return d
		},
		"parent replaceable by all": func(d string) string {
			_ = os.Mkdir(filepath.Join(d, "base"), 0o700)
			_ = os.Chmod(d, 0o777)
			return filepath.Join(d, "base")
		},
		"owned by somebody else": func(d string) string { _ = os.Chown(d, 4242, -1); return d },
	} {
		t.Run(name, func(t *testing.T) {
			if os.Geteuid() != 0 && strings.HasPrefix(name, "owned") {
				t.Skip("only root can give a folder away")
			}
			base := make(t.TempDir())
			d, err := Open(base)
			if err == nil {
				_ = d.Close()
			}
			if !errors.Is(err, ErrUnsafe) {
				t.Errorf("error = %v, want %v", err, ErrUnsafe)
			}
		})
	}
	if _, err := Open(filepath.Join("/dev/null", "x")); err == nil {
		t.Error("opened below a device")
	}
}

func TestSweep(t *testing.T) {
	base := t.TempDir()
	alive, dead := open(t, base), open(t, base)
	if _, err := dead.Sub("left"); err != nil {
		t.Fatal(err)
	}
	die(dead)
	run := filepath.Join(base, runName)
	orphan := filepath.Join(run, "00000000000000ab")
	fresh := filepath.Join(run, "00000000000000cd"+newEnd)
	foreign := filepath.Join(run, "notes")
	for _, path := range []string{orphan, foreign} {
		if err := os.Mkdir(path, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(fresh, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	next := open(t, base)
	if s := next.Swept(); s.Folders != 2 || len(s.Problems) != 0 || len(s.Killed) != 0 {
		t.Errorf("swept %+v, want 2 folders", s)
	}
	for path, want := range map[string]bool{
		alive.Path(): true, dead.Path(): false, orphan: false, fresh: false, foreign: true, next.Path(): true,
	} {
		if _, err := os.Stat(path); (err == nil) != want {
			t.Errorf("%s is there: %v, want %v", path, err == nil, want)
		}
	}
}

// TestHammerOpen has many hosts start, sweep and end at once. A host whose
// folder goes while it lives has been swept by mistake.
func TestHammerOpen(t *testing.T) {
	base := t.TempDir()
	var opened, died atomic.Int32
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := range 25 {
				d, err := Open(base)
				if err != nil {
					t.Errorf("open: %v", err)
					return
				}
				opened.Add(1)
				for range 5 {
					if _, err := os.Stat(filepath.Join(d.Path(), recordIn)); err != nil {
						t.Errorf("a living host was swept: %v", err)
					}
				}
				if s := d.Swept(); len(s.Problems) > 0 {
					t.Errorf("problems: %v", s.Problems)
				}
				if (worker+i)%3 == 0 {
					die(d)
					died.Add(1)
				} else if err := d.Close(); err != nil {
					t.Errorf("close: %v", err)
				}
			}
		})
	}
	wg.Wait()
	if err := open(t, base).Close(); err != nil {
		t.Fatal(err)
	}
	if left := runEntries(t, base); len(left) != 0 {
		t.Errorf("%d hosts, %d killed, left: %v", opened.Load(), died.Load(), left)
	}
}

// The lock is in place before anything that a sweeper could take.
func TestSweeperTakesUnlockedFile(t *testing.T) {
	base := t.TempDir()
	d := open(t, base)
	run := int(d.run.Fd())
	name := "00000000000000ef"
	f, err := openAt(run, name+newEnd, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sweepNew(run, name+newEnd) // between creation and lock
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		t.Fatal(err)
	}
	if err := unix.Renameat(run, name+newEnd, run, name+lockEnd); !errors.Is(err, unix.ENOENT) {
		t.Errorf("rename = %v: the owner would not notice", err)
	}
}

func sleeper(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sleep", "3600")
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd
}

func living(t *testing.T, pid int) bool {
	t.Helper()
	p, err := ReadProcess(pid)
	return err == nil && !p.Dead
}

// A process is killed only if number, start time, boot and namespace all match.
func TestSweepKillsOnlyTheRecorded(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(record string) string
		killed bool
	}{
		{"as recorded", func(r string) string { return r }, true},
		{"recycled number", func(r string) string { return field(r, 2, "1") }, false},
		{"another boot", func(r string) string { return field(r, 3, "00000000-0000-0000-0000-000000000000") }, false},
		{"another namespace", func(r string) string { return field(r, 4, "pid:[1]") }, false},
		{"another format", func(r string) string { return field(r, 0, "ringfence-process-2") }, false},
		{"garbage", func(string) string { return "\x00\xff" }, false},
		{"empty", func(string) string { return "" }, false},
		{"init", func(r string) string { return field(r, 1, "1") }, false},
		{"everybody", func(r string) string { return field(r, 1, "-1") }, false},
		{"own group", func(r string) string { return field(r, 1, "0") }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			base := t.TempDir()
			d := open(t, base)
			cmd := sleeper(t, "/")
			pid := cmd.Process.Pid
			if err := d.Record(pid); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(d.Path(), recordIn, strconv.Itoa(pid))
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(c.change(string(b))), 0o600); err != nil {
				t.Fatal(err)
			}
			die(d)
			s := open(t, base).Swept()
			if killed := len(s.Killed) == 1 && !living(t, pid); killed != c.killed || (!c.killed && !living(t, pid)) {
				t.Errorf("killed %v, alive %v, want killed: %v", s.Killed, living(t, pid), c.killed)
			}
		})
	}
}

func field(record string, n int, to string) string {
	f := strings.Fields(record)
	f[n] = to
	return strings.Join(f, " ") + "\n"
}

func TestForget(t *testing.T) {
	base := t.TempDir()
	d := open(t, base)
	cmd := sleeper(t, "/")
	if err := d.Record(cmd.Process.Pid); err != nil {
		t.Fatal(err)
	}
	d.Forget(cmd.Process.Pid)
	die(d)
	if s := open(t, base).Swept(); len(s.Killed) != 0 || !living(t, cmd.Process.Pid) {
		t.Errorf("a forgotten process was killed: %+v", s)
	}
}

// Is the recorded leader gone, its children count by where they stand.
func TestSweepFindsChildrenOfTheDead(t *testing.T) {
	for _, inside := range []bool{true, false} {
		t.Run(fmt.Sprintf("inside=%v", inside), func(t *testing.T) {
			base := t.TempDir()
			d := open(t, base)
			cwd, err := d.Sub("cwd")
			if err != nil {
				t.Fatal(err)
			}
			if !inside {
				cwd = t.TempDir()
			}
			cmd := exec.Command("sh", "-c", "sleep 3600 & echo $!; read x")
			cmd.Dir = cwd
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
			in, _ := cmd.StdinPipe()
			out, _ := cmd.StdoutPipe()
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if err := d.Record(cmd.Process.Pid); err != nil {
				t.Fatal(err)
			}
			line := make([]byte, 16)
			n, _ := out.Read(line)
			child, err := strconv.Atoi(strings.TrimSpace(string(line[:n])))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = unix.Kill(child, unix.SIGKILL) })
			_ = in.Close()
			_ = cmd.Wait()
			die(d)
			s := open(t, base).Swept()
			if killed := len(s.Killed) == 1 && s.Killed[0] == child; killed != inside {
				t.Errorf("killed %v, want %d: %v", s.Killed, child, inside)
			}
		})
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add("1 (a) b) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20")
	f.Add("1 (\n) Z")
	f.Fuzz(func(t *testing.T, s string) { _, _ = parseStat(1, s) })
}

func FuzzParseRecord(f *testing.F) {
	self := origin{"boot", "pid:[1]"}
	f.Add("ringfence-process-1 12 34 boot pid:[1]\n")
	f.Add("ringfence-process-1 -1 34 boot pid:[1]\n")
	f.Fuzz(func(t *testing.T, s string) {
		if p, ok := parseRecord(s, self); ok && p.PID < 2 {
			t.Errorf("%q names process %d", s, p.PID)
		}
	})
}

func TestReadProcessOfOddName(t *testing.T) {
	p, err := parseStat(7, "7 (a) S 9\n(x) R 1 2 33 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 99 20 21")
	if err != nil || p.Session != 33 || p.Start != 99 || p.Dead {
		t.Errorf("%+v, %v", p, err)
	}
	if !living(t, os.Getpid()) {
		t.Error("this process is not alive")
	}
}
