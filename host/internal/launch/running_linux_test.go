package launch

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func ask(t *testing.T, p *Process, question string) string {
	t.Helper()
	got, err := echo(t, p, question)
	if err != nil {
		t.Fatalf("%s: %v", clip(question, 20), err)
	}
	return got
}

// Log lines that make go-plugin's parser panic, and escape sequences, come out
// as text.
func TestPrintedLinesAreHarmless(t *testing.T) {
	w := newWorld(t)
	p := w.start("stderr-json")
	eventually(t, "the last line is logged", func() bool { return strings.Contains(w.log.String(), "red") }, w.log.String)
	if log := w.log.String(); strings.ContainsAny(log, "\x1b\x07\r") || strings.Contains(log, "\u202e") ||
		!strings.Contains(log, `{"@message":1}`) || !strings.Contains(log, `\x1b[31mred\nsecond`) {
		t.Errorf("log: %q", log)
	}
	ask(t, p, "alive")
}

func TestPluginsLogIsRead(t *testing.T) {
	w := newWorld(t)
	w.start("log")
	eventually(t, "the line is logged", func() bool { return strings.Contains(w.log.String(), "from the plugin") }, w.log.String)
	if log := w.log.String(); !strings.Contains(log, "[WARN]") || !strings.Contains(log, "plugin.answer=42") {
		t.Errorf("log: %q", log)
	}
}

func TestLongStderrLineIsCut(t *testing.T) {
	w := newWorld(t)
	s := w.spec("stderr-long")
	var longest int
	after := make(chan struct{})
	s.Stderr = func(line string) {
		longest = max(longest, len(line))
		if line == "after" {
			close(after)
		}
	}
	w.startSpec(s)
	select {
	case <-after:
	case <-time.After(5 * time.Second):
		t.Fatal("the line after the long one did not come")
	}
	if longest < maxPrinted || longest > maxPrinted+100 {
		t.Errorf("longest line has %d bytes, want about %d", longest, maxPrinted)
	}
}

func TestSecondLineIsDropped(t *testing.T) {
	w := newWorld(t)
	p := w.start("lines-after")
	ask(t, p, "alive")
}

// What go-plugin's server prints over its stdio service is taken and bounded,
// or a print would never return.
func TestChattyPluginDoesNotWedge(t *testing.T) {
	w := newWorld(t)
	p := w.start("chatty")
	if got := ask(t, p, "print "+strings.Repeat("p", 900)); got != "printed" {
		t.Errorf("got %q", got)
	}
	if got := ask(t, p, "print again"); got != "printed" {
		t.Errorf("got %q", got)
	}
	if !strings.Contains(w.log.String(), "stream=stdout") {
		t.Error("nothing of it was logged")
	}
	if n := len(w.log.String()); n > 2<<20 {
		t.Errorf("%d bytes logged", n)
	}
}

func TestUnbrokenStdoutAfterHandshake(t *testing.T) {
	w := newWorld(t)
	p := w.start("flood")
	for range 4 {
		if got := ask(t, p, "once x"); got != "1048576" {
			t.Fatalf("wrote %s of 1 MiB", got)
		}
	}
	p.Kill()
	if e := p.Exit(); e.Discarded < 4<<20 {
		t.Errorf("%d bytes counted as dropped, want 4 MiB", e.Discarded)
	}
}

// A flood on all streams costs the host neither memory nor a CPU, and does not
// stop calls.
func TestFloodIsThrottled(t *testing.T) {
	w := newWorld(t)
	p := w.start("flood")
	ask(t, p, "forever x")
	time.Sleep(600 * time.Millisecond) // the burst that is let through
	var before, after unix.Rusage
	var m runtime.MemStats
	_ = unix.Getrusage(unix.RUSAGE_SELF, &before)
	const window = time.Second
	time.Sleep(window)
	_ = unix.Getrusage(unix.RUSAGE_SELF, &after)
	cpu := time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano())
	runtime.ReadMemStats(&m)
	t.Logf("host CPU %v in %v, heap %d KiB, log %d KiB", cpu, window, m.HeapAlloc>>10, len(w.log.String())>>10)
	if cpu > window/4 {
		t.Errorf("host used %v of CPU in %v", cpu, window)
	}
	if n := len(w.log.String()); n > 8<<20 {
		t.Errorf("%d bytes logged", n)
	}
	began := time.Now()
	p.Kill()
	if took := time.Since(began); took > time.Second {
		t.Errorf("Kill took %v", took)
	}
}

func TestFloodOverStdioServiceIsThrottled(t *testing.T) {
	w := newWorld(t)
	p := w.start("stdio-flood")
	time.Sleep(200 * time.Millisecond)
	if got := ask(t, p, "still here"); got != "still here" {
		t.Errorf("got %q", got)
	}
}

// The process gets the descriptors, variables and folder that it was given, and
// nothing else.
func TestNothingIsInherited(t *testing.T) {
	w := newWorld(t)
	t.Setenv("LAUNCH_TEST_SECRET", "hunter2")
	// A descriptor that would be passed on, as one that the host itself has
	// inherited.
	secret, err := os.Create(filepath.Join(t.TempDir(), "secret"))
	if err != nil {
		t.Fatal(err)
	}
	defer secret.Close()
	fd, err := unix.FcntlInt(secret.Fd(), unix.F_DUPFD, 30)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	memfd, err := unix.MemfdCreate("module", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	module := os.NewFile(uintptr(memfd), "module")
	defer module.Close()
	if _, err := module.WriteAt([]byte("bytes"), 0); err != nil {
		t.Fatal(err)
	}
	s := w.spec("look")
	s.Env = []string{"GIVEN=yes"}
	s.Files = map[int]*os.File{4: module}
	p := w.startSpec(s)
	env := ask(t, p, "env x")
	for _, v := range strings.Split(env, "\n") {
		name, _, _ := strings.Cut(v, "=")
		switch name {
		case "RINGFENCE_PLUGIN", "PLUGIN_MIN_PORT", "PLUGIN_MAX_PORT", "PLUGIN_PROTOCOL_VERSIONS",
			"PLUGIN_UNIX_SOCKET_DIR", "GOMAXPROCS", "GIVEN":
		default:
			t.Errorf("variable %s reached the plugin", name)
		}
	}
	if !strings.Contains(env, "GIVEN=yes") {
		t.Error("the variable of the Spec did not reach the plugin")
	}
	fds := ask(t, p, "fds x")
	if strings.Contains(fds, "secret") || strings.Contains(fds, "\n3 ") && strings.Contains(fds, "3 pipe") {
		t.Errorf("descriptors of the plugin:\n%s", fds)
	}
	if got := ask(t, p, "read4 x"); got != "bytes<nil>" && got != "bytes <nil>" {
		t.Errorf("descriptor 4 holds %q", got)
	}
	if got := ask(t, p, "stdin x"); got != "0 <nil>" {
		t.Errorf("stdin = %q, want its end", got)
	}
	if cwd := ask(t, p, "cwd x"); !strings.HasPrefix(cwd, w.dir.Path()+"/plugin-dir") {
		t.Errorf("working folder %s", cwd)
	}
}

func TestStoppedProcessIsKilled(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *Process){
		"Kill": func(_ *testing.T, p *Process) { p.Kill() },
		"Stop": func(t *testing.T, p *Process) {
			if err := p.Stop(t.Context()); err != nil {
				t.Error(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			p := w.start("dies")
			if err := unix.Kill(p.PID(), unix.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			stat := fmt.Sprintf("/proc/%d/stat", p.PID())
			eventually(t, "it is stopped", func() bool {
				b, err := os.ReadFile(stat)
				return err == nil && strings.Contains(string(b), ") T ")
			}, func() string { return stat })
			began := time.Now()
			end(t, p)
			if took := time.Since(began); took > politeBound+time.Second {
				t.Errorf("took %v", took)
			}
			if e := p.Exit(); !e.Killed {
				t.Errorf("exit: %+v", e)
			}
		})
	}
}

func TestStubbornProcessIsKilled(t *testing.T) {
	w := newWorld(t)
	p := w.start("stubborn")
	began := time.Now()
	if err := p.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > politeBound+time.Second {
		t.Errorf("took %v", took)
	}
	if e := p.Exit(); !e.Killed || e.Cause != nil {
		t.Errorf("exit: %+v", e)
	}
}

// Death is seen, and everything ends, whoever holds the pipes and the socket.
func TestGrandchildren(t *testing.T) {
	for _, how := range []string{"same-group", "own-group"} {
		t.Run(how, func(t *testing.T) {
			w := newWorld(t)
			p := w.start("children", how)
			if n := len(standing(w.dir.Path())); n != 4 {
				t.Fatalf("%d processes run, want 4", n)
			}
			began := time.Now()
			if err := unix.Kill(p.PID(), unix.SIGKILL); err != nil {
				t.Fatal(err)
			}
			<-p.Done()
			if took := time.Since(began); took > 5*time.Second { // go-plugin sees it after 10
				t.Errorf("death seen after %v", took)
			}
			w.noneLeft()
		})
	}
	t.Run("bomb", func(t *testing.T) {
		w := newWorld(t)
		p := w.start("bomb")
		time.Sleep(30 * time.Millisecond)
		p.Kill()
		w.noneLeft()
	})
}

func TestCrashTellsWhy(t *testing.T) {
	w := newWorld(t)
	p := w.start("dies")
	_, err := echo(t, p, "crash x")
	if status.Code(err) != codes.Unavailable {
		t.Errorf("the call under way ended with %v, want Unavailable", err)
	}
	e := p.Exit()
	if e.Code != 2 || e.Killed || len(e.Stderr) == 0 || e.Stderr[0] != "panic: the reason" || len(e.Stderr) > tailLines {
		t.Errorf("exit: %+v", e)
	}
	p = w.start("dies")
	_, _ = echo(t, p, "exit x")
	if e := p.Exit(); e.Code != 7 || e.Killed {
		t.Errorf("exit: %+v", e)
	}
}

func TestCPUTimeIsRead(t *testing.T) {
	w := newWorld(t)
	p := w.start("dies")
	before, err1 := p.CPUTime()
	ask(t, p, "burn x")
	after, err2 := p.CPUTime()
	if d := after - before; err1 != nil || err2 != nil || d < 90*time.Millisecond || d > time.Second {
		t.Errorf("100 ms of work read as %v, %v, %v", d, err1, err2)
	}
	p.Kill()
	last, err := p.CPUTime()
	if err != nil || last < after || p.Exit().CPU != last {
		t.Errorf("after the end: %v, %v", last, err)
	}
	if _, err := p.RSS(); err == nil {
		t.Error("memory of a dead process was read")
	}
}

// A process that loses its connection is of no use and ends.
func TestLostConnectionEndsProcess(t *testing.T) {
	w := newWorld(t)
	p := w.start("hangs-up")
	select {
	case <-p.Done():
	case <-time.After(5 * time.Second):
		t.Fatal("still running")
	}
	if e := p.Exit(); !e.Killed || e.Cause != ErrConnection {
		t.Errorf("exit: %+v", e)
	}
}

func TestMessagesAreBounded(t *testing.T) {
	for _, way := range []string{"huge-message", "huge-trailer"} {
		t.Run(way, func(t *testing.T) {
			w := newWorld(t)
			p := w.start(way)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := echo(t, p, "x")
			runtime.ReadMemStats(&after)
			if err == nil {
				t.Error("it came through")
			}
			if grew := int64(after.TotalAlloc - before.TotalAlloc); grew > 32<<20 {
				t.Errorf("%d MiB allocated", grew>>20)
			}
			t.Log(clip(fmt.Sprint(err), 200))
		})
	}
}

// What a process leaves in its folder, it cannot make stay there.
func TestMessIsRemoved(t *testing.T) {
	w := newWorld(t)
	p := w.start("mess")
	p.Kill()
	w.noneLeft()
	if _, err := os.Stat("/etc"); err != nil {
		t.Fatal("a symlink was followed")
	}
}
