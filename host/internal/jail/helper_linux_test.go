package jail

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host/internal/stage"
	"github.com/ringfence/ringfence/internal/orders"
)

// binaries is the folder of the trampoline and the prisoner: built here, or
// given to a copy of the test that runs as a user who has no Go.
const binaries = "JAIL_TEST_BINARIES"

var bin string

func TestMain(m *testing.M) {
	code := func() int {
		if bin = os.Getenv(binaries); bin != "" {
			return m.Run()
		}
		dir, err := os.MkdirTemp("", "jail-test")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		bin = dir
		for name, pkg := range map[string]string{"prisoner": "./testdata/prisoner", orders.Trampoline: "../../../plugins/jail"} {
			build := exec.Command("go", "build", "-o", filepath.Join(dir, name), pkg)
			build.Env = append(os.Environ(), "CGO_ENABLED=0")
			if out, err := build.CombinedOutput(); err != nil {
				fmt.Fprintf(os.Stderr, "build %s: %v\n%s", pkg, err, out)
				return 1
			}
		}
		return m.Run()
	}()
	os.Exit(code)
}

// The whole suite once more as somebody who may do nothing special.
func TestAsOrdinaryUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("this is it")
	}
	const nobody = 65534
	dir := t.TempDir()
	for p := dir; p != os.TempDir() && p != "/"; p = filepath.Dir(p) {
		if err := os.Chmod(p, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	test := filepath.Join(dir, "jail.test")
	for from, to := range map[string]string{
		os.Args[0]: test, filepath.Join(bin, "prisoner"): filepath.Join(dir, "prisoner"),
		filepath.Join(bin, orders.Trampoline): filepath.Join(dir, orders.Trampoline),
	} {
		b, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, b, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	own := filepath.Join(dir, "tmp")
	if err := os.Mkdir(own, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(own, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(test, "-test.v", "-test.timeout=10m")
	cmd.Dir = own
	cmd.Env = []string{binaries + "=" + dir, "TMPDIR=" + own, "HOME=" + own, "PATH=" + os.Getenv("PATH")}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("as uid %d: %v\n%s", nobody, err, out)
	}
	t.Logf("%d passed, %d skipped", bytes.Count(out, []byte("--- PASS")), bytes.Count(out, []byte("--- SKIP")))
}

// world is a jail and a staged prisoner.
type world struct {
	t       testing.TB
	jail    *Jail
	program string
}

func newWorld(t testing.TB) *world {
	t.Helper()
	return newWorldOf(t, filepath.Join(bin, "prisoner"))
}

func newWorldOf(t testing.TB, program string, more ...stage.Item) *world {
	t.Helper()
	base := private(t)
	trampoline := staged(t, filepath.Join(base, "jail"), stage.Item{Path: filepath.Join(bin, orders.Trampoline), Exec: true})
	j, err := Open(context.Background(), trampoline)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
	items := append([]stage.Item{{Path: program, Exec: true, As: "program"}}, more...)
	return &world{t: t, jail: j, program: staged(t, filepath.Join(base, "program"), items...)}
}

// private makes a folder that nobody else can enter, as hosts do.
func private(t testing.TB) string {
	t.Helper()
	base := filepath.Join(t.TempDir(), "private")
	if err := os.Mkdir(base, 0o700); err != nil {
		t.Fatal(err)
	}
	return base
}

func staged(t testing.TB, dir string, items ...stage.Item) string {
	t.Helper()
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	files, err := stage.Stage(dir, append(items, stage.Item{Folder: true, As: SocketFolder})...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = filepath.WalkDir(dir, func(p string, d os.DirEntry, _ error) error { return os.Chmod(p, 0o700) })
	})
	return files[0].Path
}

// ways are those that this user can be confined in here.
func (w *world) ways() []way {
	if os.Geteuid() == 0 {
		return []way{userNS, realRoot, neither}
	}
	return []way{userNS, neither}
}

// inmate is one process in a cell.
type inmate struct {
	pid    int
	pidfd  int
	cell   *Cell
	out    *os.File
	lines  []orders.Line
	err    error // of the report
	status syscall.WaitStatus
}

// start runs the prisoner in a cell that the function has changed.
func (w *world) start(in way, change func(*Cell), args ...string) *inmate {
	w.t.Helper()
	socket := filepath.Join(private(w.t), "socket")
	if err := os.Mkdir(socket, 0o700); err != nil {
		w.t.Fatal(err)
	}
	folder, err := os.Open(socket)
	if err != nil {
		w.t.Fatal(err)
	}
	defer folder.Close()
	cell, err := w.jail.blank(in)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(cell.Close)
	if err := cell.furnish(Room{
		Program: w.program, SocketDir: socket, Socket: folder,
		Args: append([]string{"program"}, args...), Memory: 128 << 20, Processes: 32,
	}); err != nil {
		w.t.Fatal(err)
	}
	if change != nil {
		change(cell)
	}
	cell.orders.Env = append(cell.orders.Env, "GOMAXPROCS=2", "SELF="+cell.orders.Program)
	return w.fork(cell)
}

func (w *world) fork(cell *Cell) *inmate {
	w.t.Helper()
	null, err := os.Open(os.DevNull)
	if err != nil {
		w.t.Fatal(err)
	}
	defer null.Close()
	outR, outW, err := os.Pipe()
	if err != nil {
		w.t.Fatal(err)
	}
	defer outW.Close()
	i := &inmate{cell: cell, out: outR, pidfd: -1}
	cmd := cell.Command()
	cmd.Sys.PidFD, cmd.Sys.Pdeathsig = &i.pidfd, 0
	i.pid, _, err = syscall.StartProcess(cmd.Path, cmd.Args, &syscall.ProcAttr{Env: cmd.Env, Files: cmd.Files, Sys: cmd.Sys})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { i.kill(); i.wait(); _ = unix.Close(i.pidfd); _ = outR.Close() })
	cell.Started(i.pid)
	if err := cell.Order([]uintptr{null.Fd(), outW.Fd(), outW.Fd()}); err != nil {
		w.t.Fatal(err)
	}
	i.lines, i.err = cell.Report()
	return i
}

func (i *inmate) kill() {
	if i.pid != 0 {
		_ = unix.PidfdSendSignal(i.pidfd, unix.SIGKILL, nil, 0)
	}
}

func (i *inmate) wait() syscall.WaitStatus {
	for i.pid != 0 {
		if _, err := syscall.Wait4(i.pid, &i.status, 0, nil); !errors.Is(err, unix.EINTR) {
			i.pid = 0
		}
	}
	return i.status
}

// says is what the prisoner prints until it ends.
func (i *inmate) says(t testing.TB) string {
	t.Helper()
	if i.err != nil {
		t.Fatalf("the jail was not built: %v", i.err)
	}
	_ = i.out.SetReadDeadline(time.Now().Add(20 * time.Second))
	b, err := io.ReadAll(i.out)
	if err != nil {
		t.Fatalf("%v after %q", err, b)
	}
	i.wait()
	return strings.TrimSpace(string(b))
}

func (w *world) try(in way, change func(*Cell), args ...string) string {
	w.t.Helper()
	return w.start(in, change, args...).says(w.t)
}
