//go:build amd64 || arm64

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/ringfence/ringfence/internal/seccomp"
	"golang.org/x/sys/unix"
)

// execute is the first argument of this command where it becomes the observed one.
const execute = "-observe-execute"

// runFiltered puts every call of this thread to the listener, and executes.
func runFiltered(argv []string) error {
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return err
	}
	runtime.LockOSThread()
	f, err := seccomp.Table{Default: seccomp.Notify}.Assemble(seccomp.Here)
	if err != nil {
		return err
	}
	// The descriptor is close-on-exec; the other side finds it in /proc.
	if _, err := f.InstallThreadListener(); err != nil {
		return err
	}
	return unix.Exec(path, argv, os.Environ())
}

// observe runs a command to its end, and that of everything it started.
func observe(argv []string, notes *notes) error {
	var pidfd int
	child := exec.Command("/proc/self/exe", append([]string{execute}, argv...)...)
	child.Stdin, child.Stdout, child.Stderr = os.Stdin, os.Stdout, os.Stderr
	child.SysProcAttr = &syscall.SysProcAttr{PidFD: &pidfd, Pdeathsig: syscall.SIGKILL}
	runtime.LockOSThread() // for the parent-death signal, which is this thread's
	if err := child.Start(); err != nil {
		return err
	}
	defer unix.Close(pidfd)
	fd, err := findListener(child.Process.Pid)
	if err == nil {
		var l *seccomp.Listener
		if l, err = seccomp.TakeListener(pidfd, fd); err == nil {
			err = attend(l, notes)
			_ = l.Close()
		}
	}
	if err != nil {
		_ = child.Process.Kill()
	}
	end := child.Wait()
	if err == nil && end != nil {
		fmt.Fprintln(os.Stderr, "observe: the command:", end)
	}
	return err
}

// findListener waits until the process has a listener. From then on its thread
// stands still, so the number stays valid.
func findListener(pid int) (int, error) {
	dir := filepath.Join("/proc", strconv.Itoa(pid), "fd")
	for {
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) == 0 {
			return 0, errNothing
		}
		for _, e := range entries {
			to, err := os.Readlink(filepath.Join(dir, e.Name()))
			if err == nil && strings.Contains(to, "seccomp notify") {
				return strconv.Atoi(e.Name())
			}
		}
		time.Sleep(time.Millisecond)
	}
}

// attend answers all calls. One after the other is enough: an answer does not
// wait for anything.
func attend(l *seccomp.Listener, notes *notes) error {
	install, _ := seccomp.Here.Number("seccomp")
	for {
		n, err := l.Receive()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, seccomp.ErrWithdrawn):
			continue
		case err != nil:
			return err
		}
		process := processOf(n.TID)
		if n.Call.Number == install && n.Call.Args[0] == unix.SECCOMP_SET_MODE_FILTER {
			notes.entered(process)
			err = l.Answer(n.ID, 0, 0)
		} else {
			notes.called(process, n.Call)
			err = l.Continue(n.ID)
		}
		if err != nil && !errors.Is(err, seccomp.ErrWithdrawn) { // it comes again, or its thread is gone
			return err
		}
	}
}

// processOf is the process that a thread belongs to, which stands still.
func processOf(tid int) int {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", tid))
	if err != nil {
		return tid
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "Tgid:"); ok {
			if pid, err := strconv.Atoi(strings.TrimSpace(rest)); err == nil {
				return pid
			}
		}
	}
	return tid
}
