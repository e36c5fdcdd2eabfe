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
	o, files, err := orders.Receive(fd)
	if err != nil {
		fmt.Fprintln(os.Stderr, "ringfence-jail:", err)
		os.Exit(exitFailed)
	}
	j := &jail{Orders: o, host: fd, files: files}
	if err := j.lock(); err != nil {
		os.Exit(exitFailed) // it has been reported
	}
}

// jail is one process on its way into confinement.
type jail struct {
	*orders.Orders
	host    int   // the socket that the orders came from
	files   []int // the descriptors that came with them
	program int   // open, if a filter demands that it be executed so
}

// lock applies all layers and executes the program. It returns when one fails,
// or when the orders were to try them.
func (j *jail) lock() error {
	for _, layer := range []struct {
		name  string
		apply func() (note string, err error)
	}{
		{orders.Descriptors, j.descriptors},
		{orders.Session, j.session},
		{orders.Limits, j.limits},
		{orders.Root, j.root},
		{orders.Names, j.names},
		{orders.Capabilities, j.capabilities},
		{orders.Identity, j.identity},
		{orders.Parent, j.parent},
		{orders.NoNewPrivs, j.noNewPrivs},
		{orders.Landlock, j.landlock},
		{orders.Signals, j.signals},
		{orders.Opaque, j.opaque},
		{orders.Seccomp, j.seccomp},
		{orders.Execute, j.execute},
	} {
		note, err := layer.apply()
		if errors.Is(err, errNotOrdered) {
			continue
		}
		j.report(layer.name, note, err)
		if err != nil && !j.Probe {
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
	_, _ = unix.Write(j.host, append(b, '\n'))
}

// descriptors gives the program those that came with the orders, and sees to it
// that exec closes everything else: a descriptor of the host's is a way around
// every other layer.
func (j *jail) descriptors() (string, error) {
	if err := unix.CloseRange(3, ^uint(0)>>32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return "", fmt.Errorf("close_range (Linux 5.11 or newer is needed): %w", err)
	}
	// First they all go up, out of each other's way.
	clear := 3
	for _, n := range j.Files {
		clear = max(clear, n+1)
	}
	for _, fd := range append([]*int{&j.host}, pointers(j.files)...) {
		up, err := unix.FcntlInt(uintptr(*fd), unix.F_DUPFD_CLOEXEC, clear)
		if err != nil {
			return "", fmt.Errorf("move descriptor %d: %w", *fd, err)
		}
		_ = unix.Close(*fd)
		*fd = up
	}
	for i, n := range j.Files {
		if err := unix.Dup3(j.files[i], n, 0); err != nil {
			return "", fmt.Errorf("place descriptor %d: %w", n, err)
		}
	}
	return "", nil
}

func pointers(list []int) []*int {
	out := make([]*int, len(list))
	for i := range list {
		out[i] = &list[i]
	}
	return out
}

// parent asks once more for death with the host: the change of uid has taken
// the first wish back. A host that died before this moment has closed its end
// of the socket; getppid cannot tell, it is 0 in a PID namespace.
func (j *jail) parent() (string, error) {
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return "", fmt.Errorf("prctl PR_SET_PDEATHSIG: %w", err)
	}
	poll := []unix.PollFd{{Fd: int32(j.host)}}
	if _, err := unix.Poll(poll, 0); err != nil && !errors.Is(err, unix.EINTR) {
		return "", fmt.Errorf("poll the host's socket: %w", err)
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
