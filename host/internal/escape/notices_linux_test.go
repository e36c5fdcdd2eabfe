package escape

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host/internal/launch"
)

// A refused call is reported by name where the kernel tells the host, and ends
// the sandbox wherever it is made: by the compiler, or by the guest. What only
// stage two refuses, and calls of another ABI, die of SIGSYS without a name.
func TestEscapeIsReportedByName(t *testing.T) {
	p := newPrison(t)
	o := newOutside(t, p)
	for _, a := range []struct {
		attack   string
		one, two string // the cause, or the signal
	}{
		{"bpf", `system call "bpf" is not allowed (SIGSYS)`, `system call "bpf" is not allowed (SIGSYS)`},
		{"memfd", `system call "memfd_create" is not allowed (SIGSYS)`, `system call "memfd_create" is not allowed (SIGSYS)`},
		{"io_uring", `system call "io_uring_setup" is not allowed (SIGSYS)`, `system call "io_uring_setup" is not allowed (SIGSYS)`},
		{"signal a thread of the host", `system call "tgkill" with arg0=`, `system call "tgkill" with arg0=`},
		{"map shared memory", `system call "mmap" with arg2=0x3 arg3=0x21 is not allowed`, "SIGSYS"},
		{"map writable code", "", "SIGSYS"},
		{"a filter more", `system call "seccomp" with`, "SIGSYS"},
		{"x32", "SIGSYS", "SIGSYS"},
	} {
		for at, want := range map[position]string{
			{jailed: true, stage: 1, notices: true}: a.one,
			{jailed: true, stage: 2, notices: true}: a.two,
		} {
			if want == "" {
				continue
			}
			i := p.start(t, at, a.attack, o.world, o.files(t, at), nil)
			got := i.attack(t, at)
			if got != want && !strings.HasPrefix(got, "killed by the host: "+want) {
				t.Errorf("stage %d, %s: %q, want %q", at.stage, a.attack, got, want)
			}
			if e := i.Exit(); !errors.Is(e.Cause, launch.ErrSyscall) || !e.Killed && e.Signal != unix.SIGSYS {
				t.Errorf("stage %d, %s: %+v", at.stage, a.attack, e)
			}
		}
	}
}

// A sandbox whose filter has a listener holds nothing of it, and works as any
// other does: what is answered with an errno still is, and it can be killed
// while it computes.
func TestEscapeFindsNoListener(t *testing.T) {
	p := newPrison(t)
	o := newOutside(t, p)
	at := position{jailed: true, stage: 2, notices: true}
	i := p.start(t, at, "clone3", o.world, o.files(t, at), nil)
	if fds := held(t, i.PID()); strings.Contains(fds, "seccomp") || strings.Contains(fds, " 15->pipe") {
		t.Errorf("it holds %s", fds)
	}
	if got := i.attack(t, at); got != "ENOSYS" {
		t.Errorf("clone3: %q", got)
	}
	i = p.start(t, at, "become dumpable", o.world, o.files(t, at), nil)
	if got := i.attack(t, at); got != "EINVAL" {
		t.Errorf("become dumpable: %q", got)
	}
}

// held lists what a process has open.
func held(t *testing.T, pid int) string {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, e := range entries {
		to, _ := os.Readlink(filepath.Join(dir, e.Name()))
		fmt.Fprintf(&all, "%s->%s ", e.Name(), to)
	}
	return all.String()
}
