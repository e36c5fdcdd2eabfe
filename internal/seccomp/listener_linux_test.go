//go:build amd64 || arm64

package seccomp

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// asking is a child with a listener.
type asking struct {
	*exec.Cmd
	out   io.Reader
	pidfd int
}

func ask(t *testing.T, deed string) *asking {
	t.Helper()
	child := &asking{Cmd: exec.CommandContext(t.Context(), os.Args[0]), pidfd: -1}
	child.Env = []string{envDo + "=" + deed, envStages + "=wasm", "GOMAXPROCS=2"}
	child.Dir = t.TempDir()
	child.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, PidFD: &child.pidfd}
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	child.out = out
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = child.Process.Kill()
		_ = child.Wait()
		_ = unix.Close(child.pidfd)
	})
	return child
}

// listener takes the one whose number the child prints.
func (a *asking) listener(t *testing.T) *Listener {
	t.Helper()
	var fd int
	if _, err := fmt.Fscan(a.out, &fd); err != nil {
		t.Fatal(err)
	}
	l, err := TakeListener(a.pidfd, fd)
	if errors.Is(err, unix.EPERM) {
		t.Skip("may not trace its own children: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// TestListener lets a filter ask before it kills, also while the thread that
// asks is showered with signals, as Go's runtime sends them to threads that are
// long in a call: an answer that then got lost left the thread waiting for ever.
func TestListener(t *testing.T) {
	for _, deed := range []string{"ask", "ask among signals"} {
		t.Run(deed, func(t *testing.T) {
			child := ask(t, deed)
			l := child.listener(t)
			for {
				n, err := l.Receive()
				if errors.Is(err, ErrWithdrawn) {
					continue // a signal came before we did
				}
				if err != nil {
					t.Fatal(err)
				}
				if name := Here.Name(n.Call.Number); name != "socket" || n.Call.Args[0] != unix.AF_NETLINK {
					t.Errorf("%s %v, want socket and its family", name, n.Call.Args)
				}
				time.Sleep(10 * time.Millisecond) // for a signal to do harm in
				err = l.Answer(n.ID, 0, EPERM)
				if errors.Is(err, ErrWithdrawn) && !killable() {
					continue
				}
				if err != nil {
					t.Fatalf("answer: %v", err)
				}
				break
			}
			var got string
			if _, err := fmt.Fscan(child.out, &got); err != nil || got != "EPERM" {
				t.Errorf("the process got %q (%v), want EPERM", got, err)
			}
			if _, err := l.Receive(); err == nil {
				t.Error("a process that has ended asks again")
			}
		})
	}
}

// killable says whether the kernel keeps signals from calls that were received.
func killable() bool {
	var u unix.Utsname
	var major, minor int
	if unix.Uname(&u) != nil {
		return false
	}
	_, _ = fmt.Sscanf(unix.ByteSliceToString(u.Release[:]), "%d.%d", &major, &minor)
	return major > 5 || major == 5 && minor >= 19
}

// A process that has been greeted holds no listener, so it cannot answer for
// its host; and what is not a listener is not taken for one.
func TestNoticedProcessCannotAnswerItself(t *testing.T) {
	child := ask(t, "knock")
	l := child.listener(t)
	if err := l.Greet(); err != nil {
		t.Fatal(err)
	}
	n, err := l.Receive()
	for errors.Is(err, ErrWithdrawn) {
		n, err = l.Receive()
	}
	if err != nil || Here.Name(n.Call.Number) != "socket" {
		t.Fatalf("%v, %v, want socket", n, err)
	}
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", child.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if to, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", child.Process.Pid, fd.Name())); to == listenerLink {
			t.Errorf("it still has a listener, descriptor %s", fd.Name())
		}
	}
	for _, other := range []int{0, 1} {
		if _, err := TakeListener(child.pidfd, other); err == nil {
			t.Errorf("descriptor %d passes for a listener", other)
		}
	}
	// A thread that waits for the listener's answer does not hold up its death.
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
}

// A host that takes the listener and does not greet, or goes, is noticed: the
// process does not go on.
func TestNobodyListens(t *testing.T) {
	child := ask(t, "knock")
	l := child.listener(t)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	// The child's own copy is the last: it waits, and is killed.
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := child.Wait(); err == nil {
		t.Error("it went on")
	}
	child = ask(t, "knock")
	l = child.listener(t)
	n, err := l.Receive()
	for errors.Is(err, ErrWithdrawn) {
		n, err = l.Receive()
	}
	if err != nil || !n.Call.isKnock() {
		t.Fatalf("%v %v, want the knock", n, err)
	}
	for l.Answer(n.ID, 0, ENOSYS) != nil {
		if n, err = l.Receive(); err != nil && !errors.Is(err, ErrWithdrawn) {
			t.Fatal(err)
		}
	}
	said, _ := io.ReadAll(child.out)
	if string(said) != "the host does not listen\n" {
		t.Errorf("it says %q", said)
	}
}

func init() {
	netlink := func() string {
		_, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW, 0)
		return said(err)
	}
	deeds["ask"] = func() string {
		fd, err := WASM.InstallListener(One)
		if err != nil {
			return said(err)
		}
		fmt.Println(fd)
		return netlink()
	}
	deeds["ask among signals"] = func() string {
		fd, err := WASM.InstallListener(One)
		if err != nil {
			return said(err)
		}
		runtime.LockOSThread()
		asker, over := unix.Gettid(), atomic.Bool{}
		go func() {
			for !over.Load() {
				_ = unix.Tgkill(os.Getpid(), asker, unix.SIGURG)
			}
		}()
		fmt.Println(fd)
		defer over.Store(true)
		return netlink()
	}
	deeds["knock"] = func() string {
		err := WASM.InstallNoticed(One, func(fd int) error {
			_, err := fmt.Println(fd)
			return err
		})
		if err != nil {
			return "the host does not listen"
		}
		return netlink()
	}
}
