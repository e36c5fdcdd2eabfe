package cli_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ringfence/ringfence/internal/built"
)

// deployment is a folder with a policy, as an operator has one, and the built
// binary to use it with.
type deployment struct {
	t     *testing.T
	dir   string
	state string
	bin   string
	env   []string
}

// deploy writes a policy in which STATE and TOOLS stand for folders.
func deploy(t *testing.T, policy string) *deployment {
	t.Helper()
	d := &deployment{t: t, dir: t.TempDir(), state: built.State(t), bin: built.Bin(t)}
	d.write("ringfence.hcl", d.expand(policy))
	t.Cleanup(d.verifyNothingIsLeft)
	d.run("cache", "warm") // compiling is reported on standard error, which tests read
	return d
}

func (d *deployment) expand(s string) string {
	return strings.NewReplacer("STATE", d.state, "TOOLS", filepath.Join(d.bin, "tools"), "DIR", d.dir).Replace(s)
}

func (d *deployment) write(name, text string) string {
	d.t.Helper()
	path := filepath.Join(d.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
	return path
}

func (d *deployment) command(args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(d.bin, "ringfence"), args...)
	cmd.Dir = d.dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + d.dir}, d.env...)
	return cmd
}

// output is what a command printed and how it ended.
type output struct {
	stdout, stderr string
	code           int
}

func (d *deployment) run(args ...string) output { return d.runWith(nil, args...) }

func (d *deployment) runWith(stdin io.Reader, args ...string) output {
	d.t.Helper()
	cmd := d.command(args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &stdout, &stderr
	err := cmd.Run()
	if _, isExit := err.(*exec.ExitError); err != nil && !isExit {
		d.t.Fatal(err)
	}
	return output{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// start starts a command in a session of its own and waits until a sandbox of it
// has the given state folder open.
func (d *deployment) start(args ...string) *exec.Cmd {
	d.t.Helper()
	cmd := d.command(args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { cmd.Process.Kill() })
	return cmd
}

// sandboxes lists the processes whose root is the staged sandbox program of this
// deployment. A sandbox knows itself by other paths; the kernel's table of its
// mounts tells where its root comes from.
func (d *deployment) sandboxes() []int { return d.rooted("") }

// serving lists those that are not the jail's own trial.
func (d *deployment) serving() []int { return d.rooted("/program") }

func (d *deployment) rooted(in string) (pids []int) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		d.t.Fatal(err)
	}
	// The table counts from the file system's own root, which need not be /.
	run := "/" + filepath.Join(strings.Split(d.state, "/")[2:]...) + "/run/"
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		mounts, _ := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", pid))
		for line := range strings.Lines(string(mounts)) {
			if f := strings.Fields(line); len(f) > 4 && f[4] == "/" && strings.Contains(f[3], run) && strings.HasSuffix(f[3], in) {
				pids = append(pids, pid)
				break
			}
		}
	}
	return pids
}

// eventually waits for something that another process does.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("not within 30 seconds: %s", what)
}

// verifyNothingIsLeft looks for processes, sockets and folders of hosts that
// have ended.
func (d *deployment) verifyNothingIsLeft() {
	d.t.Helper()
	if pids := d.sandboxes(); len(pids) > 0 {
		d.t.Errorf("sandboxes %v are still running", pids)
	}
	left, err := filepath.Glob(filepath.Join(d.state, "run", "*"))
	if err != nil || len(left) > 0 {
		d.t.Errorf("left behind: %v (%v)", left, err)
	}
	half, err := filepath.Glob(filepath.Join(d.state, "modules", "new-*"))
	if err != nil || len(half) > 0 {
		d.t.Errorf("half-written: %v (%v)", half, err)
	}
}

// wantLine checks that an error is what a user can use: one line on standard
// error that holds the words, nothing on standard output, no stack trace.
func (o output) wantLine(t *testing.T, code int, words ...string) {
	t.Helper()
	if o.code != code {
		t.Errorf("exit code %d, want %d\n%s", o.code, code, o.stderr)
	}
	o.wantWords(t, words...)
	if o.stdout != "" || strings.Count(o.stderr, "\n") != 1 {
		t.Errorf("want one line on standard error, got %q and %q", o.stdout, o.stderr)
	}
}

func (o output) wantWords(t *testing.T, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(o.stderr, w) {
			t.Errorf("want %q in %q", w, o.stderr)
		}
	}
	if strings.Contains(o.stderr, "goroutine ") || strings.Contains(o.stderr, "panic:") && !strings.Contains(o.stderr, "the guest crashed") {
		t.Errorf("a stack trace reached the user: %q", o.stderr)
	}
}
