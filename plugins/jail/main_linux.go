// Nothing here needs to know how many processors there are; and under a filter,
// which a probe installs, looking at a control group now and then is a death.
//go:debug containermaxprocs=0
//go:debug updatemaxprocs=0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/internal/orders"
)

// exitFailed is what a shell says of a program that it could not execute.
const exitFailed = 126

func init() { runtime.LockOSThread() } // see One thread

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: ringfence-jail DESCRIPTOR; a host starts it")
		os.Exit(exitFailed)
	}
	fd, err := strconv.Atoi(os.Args[1])
	if err != nil || fd < 3 {
		fmt.Fprintf(os.Stderr, "ringfence-jail: descriptor %q: want a number from 3\n", os.Args[1])
		os.Exit(exitFailed)
	}
	o, err := orders.Read(os.NewFile(uintptr(fd), "orders"))
	if err != nil {
		fmt.Fprintln(os.Stderr, "ringfence-jail:", err)
		os.Exit(exitFailed)
	}
	if err := lock(o); err != nil {
		os.Exit(exitFailed) // it has been reported
	}
}

// jail is one process on its way into confinement.
type jail struct {
	*orders.Orders
	program int // open, if a filter demands that it be executed so
}

// lock applies all layers and executes the program. It returns when one fails,
// or when the orders were to try them.
func lock(o *orders.Orders) error {
	j := &jail{Orders: o}
	for _, layer := range []struct {
		name  string
		apply func() (note string, err error)
	}{
		{orders.Descriptors, j.descriptors},
		{orders.Limits, j.limits},
		{orders.Root, j.root},
		{orders.Names, j.names},
		{orders.Capabilities, j.capabilities},
		{orders.Identity, j.identity},
		{orders.Parent, j.parent},
		{orders.NoNewPrivs, j.noNewPrivs},
		{orders.Landlock, j.landlock},
		{orders.Signals, j.signals},
		{orders.Seccomp, j.seccomp},
		{orders.Execute, j.execute},
	} {
		note, err := layer.apply()
		if errors.Is(err, errNotOrdered) {
			continue
		}
		j.report(layer.name, note, err)
		if err != nil && !o.Probe {
			return err
		}
	}
	return nil
}

// errNotOrdered: the host has decided to do without the layer.
var errNotOrdered = errors.New("not ordered")

func (j *jail) report(layer, note string, err error) {
	line := orders.Line{Layer: layer, Note: note}
	if err != nil {
		line.Error = err.Error()
		errors.As(err, &line.Errno)
	}
	b, _ := json.Marshal(line)
	_, _ = unix.Write(j.Status, append(b, '\n'))
}

// descriptors sees to it that exec closes everything that is not the program's:
// a descriptor of the host's is a way around every other layer.
func (j *jail) descriptors() (string, error) {
	if err := unix.CloseRange(3, ^uint(0)>>32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return "", fmt.Errorf("close_range (Linux 5.11 or newer is needed): %w", err)
	}
	for _, fd := range j.Keep {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0); err != nil {
			return "", fmt.Errorf("keep descriptor %d: %w", fd, err)
		}
	}
	return "", nil
}

// parent asks once more for death with the host: the change of uid has taken
// the first wish back. A host that died before this moment has closed its end
// of the report; getppid cannot tell, it is 0 in a PID namespace.
func (j *jail) parent() (string, error) {
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return "", fmt.Errorf("prctl PR_SET_PDEATHSIG: %w", err)
	}
	poll := []unix.PollFd{{Fd: int32(j.Status)}}
	if _, err := unix.Poll(poll, 0); err != nil && !errors.Is(err, unix.EINTR) {
		return "", fmt.Errorf("poll the report: %w", err)
	}
	if poll[0].Revents&(unix.POLLERR|unix.POLLHUP) != 0 {
		os.Exit(exitFailed)
	}
	return "", nil
}

// execute returns only on failure.
func (j *jail) execute() (string, error) {
	if j.Probe {
		return "", errNotOrdered
	}
	execute := func() error { return executeOpen(j.program, j.Orders) }
	if j.program == 0 {
		if err := unix.Chdir(string(j.Home)); err != nil {
			return "", fmt.Errorf("enter %s: %w", j.Home, err)
		}
		execute = func() error {
			return syscall.Exec(string(j.Program), orders.Strings(j.Args), orders.Strings(j.Env))
		}
	}
	for try := 0; ; try++ {
		err := execute()
		if (errors.Is(err, unix.ETXTBSY) || errors.Is(err, unix.EAGAIN)) && try < 200 {
			// The host forked for somebody else while it wrote the copy, and
			// that child holds the descriptor until it executes. Or a thread of
			// ours was just being made.
			time.Sleep(time.Millisecond)
			continue
		}
		return "", fmt.Errorf("%s: %w", j.Program, err)
	}
}
