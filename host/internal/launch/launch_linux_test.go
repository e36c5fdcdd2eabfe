package launch

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/ringfence/ringfence/host/internal/rundir"
)

// hostile is the path of the built misbehaving plugin.
var hostile string

func TestMain(m *testing.M) {
	if os.Getenv(helperWay) != "" {
		helper()
		return
	}
	dir, err := os.MkdirTemp("", "launch-test")
	if err != nil {
		panic(err)
	}
	hostile = buildHostile(dir)
	before := openFiles()
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if after := openFiles(); after > before+2 && code == 0 { // the poller's own two
		fmt.Fprintf(os.Stderr, "open files: %d before the tests, %d after\n", before, after)
		code = 1
	}
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// buildHostile builds the plugin, unless it was built already for a user who
// has no Go.
func buildHostile(dir string) string {
	if path := os.Getenv("LAUNCH_TEST_PLUGIN"); path != "" {
		return path
	}
	path := filepath.Join(dir, "hostile")
	build := exec.Command("go", "build", "-o", path, "./testdata/hostile")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build the hostile plugin: %v\n%s", err, out)
		os.Exit(1)
	}
	return path
}

func openFiles() int {
	names, _ := os.ReadDir("/proc/self/fd")
	return len(names)
}

// world is a run folder and a log for one test.
type world struct {
	t   *testing.T
	dir *rundir.Dir
	log *logBuffer
}

type logBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *logBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// newWorld makes one, and checks at the end of the test that nothing is left
// in its run folder and no process of it runs.
func newWorld(t *testing.T) *world {
	t.Helper()
	dir, err := rundir.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, dir: dir, log: &logBuffer{}}
	t.Cleanup(func() {
		w.noneLeft()
		if err := dir.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *world) noneLeft() {
	w.t.Helper()
	var left []string
	eventually(w.t, "everything of the sandboxes is gone", func() bool {
		left = nil
		_ = filepath.WalkDir(w.dir.Path(), func(p string, _ os.DirEntry, err error) error {
			if rel, _ := filepath.Rel(w.dir.Path(), p); rel != "." && rel != "pids" {
				left = append(left, rel)
			}
			return nil
		})
		left = append(left, standing(w.dir.Path())...)
		return len(left) == 0
	}, func() string { return fmt.Sprint(left) })
}

// standing lists processes whose working folder lies below path.
func standing(path string) []string {
	var found []string
	dirs, _ := filepath.Glob("/proc/[0-9]*/cwd")
	for _, d := range dirs {
		if cwd, err := os.Readlink(d); err == nil && strings.HasPrefix(cwd, path) {
			found = append(found, d)
		}
	}
	return found
}

func eventually(t *testing.T, what string, ok func() bool, detail func() string) {
	t.Helper()
	for until := time.Now().Add(5 * time.Second); time.Now().Before(until); {
		if ok() {
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
	if ok() {
		return
	}
	t.Errorf("not so after 5s: %s: %s", what, detail())
}

func (w *world) spec(args ...string) Spec {
	s := Spec{
		Name: args[0], Path: hostile, Args: args, Dir: w.dir, StartTimeout: 10 * time.Second,
		Logger: hclog.New(&hclog.LoggerOptions{Output: w.log, Level: hclog.Trace}),
	}
	if confinement != nil {
		confinement.confine(&s)
	}
	return s
}

func (w *world) start(args ...string) *Process {
	w.t.Helper()
	return w.startSpec(w.spec(args...))
}

func (w *world) startSpec(s Spec) *Process {
	w.t.Helper()
	p, err := Start(w.t.Context(), s)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(p.Kill)
	return p
}

func echo(t *testing.T, p *Process, text string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	var out wrapperspb.StringValue
	err := p.Conn().Invoke(ctx, "/test.Echo/Call", wrapperspb.String(text), &out)
	return out.GetValue(), err
}

func TestGoodPlugin(t *testing.T) {
	w := newWorld(t)
	p := w.start("good")
	if got, err := echo(t, p, "hello"); err != nil || got != "hello" {
		t.Fatalf("echo = %q, %v", got, err)
	}
	if cpu, err := p.CPUTime(); err != nil || cpu <= 0 || cpu > 10*time.Second {
		t.Errorf("CPUTime = %v, %v", cpu, err)
	}
	if rss, err := p.RSS(); err != nil || rss < 1<<20 || rss > 1<<30 {
		t.Errorf("RSS = %d, %v", rss, err)
	}
	select {
	case <-p.Done():
		t.Fatal("done before the end")
	default:
	}
	if err := p.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if e := p.Exit(); e.Code != 0 || e.Killed || e.Signal != 0 || e.CPU <= 0 {
		t.Errorf("after a polite stop: %+v", e)
	}
	p.Kill()
	if err := p.Stop(t.Context()); err != nil {
		t.Errorf("second stop: %v", err)
	}
}

func TestKill(t *testing.T) {
	w := newWorld(t)
	p := w.start("good")
	began := time.Now()
	p.Kill()
	if took := time.Since(began); took > time.Second {
		t.Errorf("Kill took %v", took)
	}
	if e := p.Exit(); e.Code != -1 || !e.Killed || e.Signal != unix.SIGKILL {
		t.Errorf("after Kill: %+v", e)
	}
	if _, err := echo(t, p, "hello"); err == nil {
		t.Error("a call to a dead process succeeded")
	}
}

func TestDoneComesFast(t *testing.T) {
	w := newWorld(t)
	var worst time.Duration
	for range 10 {
		p := w.start("good")
		began := time.Now()
		if err := unix.Kill(p.PID(), unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		<-p.Done()
		worst = max(worst, time.Since(began))
		if e := p.Exit(); e.Killed {
			t.Errorf("somebody else's signal counts as ours: %+v", e)
		}
	}
	t.Logf("death seen after at most %v", worst)
	if worst > 200*time.Millisecond { // 10 ms on a machine that is not busy
		t.Errorf("death seen after %v", worst)
	}
}
