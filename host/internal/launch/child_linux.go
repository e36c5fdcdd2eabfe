package launch

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/host/internal/jail"
	"github.com/ringfence/ringfence/host/internal/rundir"
)

// child is one operating-system process, from fork to reaping.
//
// One OS thread belongs to it for that long. The thread forks, since the
// kernel's parent-death signal fires when the *thread* that forked ends, and Go
// ends and starts threads as it likes; and it waits, since it has nothing else
// to do. Should the host die between fork and the child's prctl, Go's child
// code sees that its parent has changed and kills itself before exec.
type child struct {
	pid   int
	pidfd int
	cell  *jail.Cell    // nil without a jail
	dead  chan struct{} // closed when it has ended; status is valid then
	gone  chan struct{} // closed when it has been reaped

	mu     sync.Mutex
	reaped bool
	killed bool
	cause  error
	exit   Exit
}

type forkSpec struct {
	path string
	argv []string
	env  []string
	dir  string
	fds  []uintptr // by number in the child
	keep []*os.File
	sys  *syscall.SysProcAttr // of the jail, or nil
	cell *jail.Cell
}

// startChild forks and returns when exec has succeeded.
func startChild(s forkSpec) (*child, error) {
	c := &child{pidfd: -1, cell: s.cell, dead: make(chan struct{}), gone: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := c.fork(s)
		started <- err
		if err == nil {
			c.await()
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return c, nil
}

func (c *child) fork(s forkSpec) error {
	if s.sys == nil {
		s.sys = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	}
	s.sys.PidFD = &c.pidfd
	attr := &syscall.ProcAttr{Dir: s.dir, Env: s.env, Files: s.fds, Sys: s.sys}
	for try := 0; ; try++ {
		pid, _, err := syscall.StartProcess(s.path, s.argv, attr)
		if errors.Is(err, syscall.ETXTBSY) && try < 200 {
			// Another goroutine forked while the staged copy was being
			// written, and its child holds the descriptor until it executes.
			time.Sleep(time.Millisecond)
			continue
		}
		runtime.KeepAlive(s.keep)
		if err != nil {
			return &os.PathError{Op: "execute", Path: s.argv[0], Err: err}
		}
		c.pid = pid
		break
	}
	if c.pidfd < 0 {
		_ = syscall.Kill(-c.pid, syscall.SIGKILL)
		_, _ = syscall.Wait4(c.pid, nil, 0, nil)
		return errors.New("execute: the kernel gives no pidfd (Linux 5.4 or newer is needed)")
	}
	return nil
}

// await waits for the end, notes how it came, and only then reaps: as long as
// the dead process is not reaped, its number, which is also that of its process
// group and session, cannot be given to anybody else.
func (c *child) await() {
	var info unix.Siginfo
	var usage unix.Rusage
	for {
		err := unix.Waitid(unix.P_PIDFD, c.pidfd, &info, unix.WEXITED|unix.WNOWAIT, &usage)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	_ = unix.Kill(-c.pid, unix.SIGKILL)
	c.mu.Lock()
	c.exit.Code, c.exit.Killed, c.exit.Cause = childStatus(&info), c.killed, c.cause
	if info.Code != cldExited {
		c.exit.Code, c.exit.Signal = -1, syscall.Signal(c.exit.Code)
	}
	if c.exit.Signal != syscall.SIGKILL {
		c.exit.Killed, c.exit.Cause = false, nil // it ended before the signal came
		if c.exit.Signal == syscall.SIGSYS {
			c.exit.Cause = &SyscallError{}
		}
	} else if !c.killed && c.cell != nil && c.cell.OutOfMemory() {
		c.exit.Cause = ErrMemoryLimit
	}
	c.exit.CPU = time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	c.mu.Unlock()
	close(c.dead)
	c.killSession()
	c.mu.Lock()
	c.reaped = true
	for {
		_, err := unix.Wait4(c.pid, nil, 0, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	_ = unix.Close(c.pidfd)
	c.mu.Unlock()
	close(c.gone)
}

const cldExited = 1 // CLD_EXITED

// killSession ends what the process started and moved to other process groups.
// What moved on to a session of its own is out of reach without a process
// namespace, with which it is dead already.
func (c *child) killSession() {
	for range 8 {
		found := false
		for _, p := range rundir.Processes(c.pid) {
			if p.PID != c.pid && p.Kill(100*time.Millisecond) {
				found = true
			}
		}
		if !found {
			return
		}
	}
}

// kill sends SIGKILL to the process and its group, and does not wait. SIGKILL
// ends a stopped process too. The first cause given is the one that is kept.
func (c *child) kill(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reaped {
		return
	}
	if !c.killed {
		c.killed, c.cause = true, cause
	}
	_ = unix.Kill(-c.pid, unix.SIGKILL)
	_ = unix.PidfdSendSignal(c.pidfd, unix.SIGKILL, nil, 0)
	if c.cell != nil {
		c.cell.Kill()
	}
}

// cpuTime reads the process's CPU clock, in which all its threads count.
func (c *child) cpuTime() (time.Duration, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.dead:
		return c.exit.CPU, nil
	default:
	}
	var ts unix.Timespec
	const wholeProcess = 2 // CPUCLOCK_SCHED, see clock_getcpuclockid(3)
	if err := unix.ClockGettime(^int32(c.pid)<<3|wholeProcess, &ts); err != nil {
		return 0, fmt.Errorf("read the CPU clock of process %d: %w", c.pid, err)
	}
	return time.Duration(ts.Nano()), nil
}

// rss reads the resident memory of the process, in bytes.
func (c *child) rss() (uint64, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.dead:
		return 0, ErrDied
	default:
	}
	b, err := os.ReadFile("/proc/" + strconv.Itoa(c.pid) + "/statm")
	if err != nil {
		return 0, err
	}
	f := strings.Fields(string(b))
	if len(f) < 2 {
		return 0, fmt.Errorf("process %d: unreadable statm", c.pid)
	}
	pages, err := strconv.ParseUint(f[1], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("process %d: unreadable statm: %w", c.pid, err)
	}
	return pages * uint64(os.Getpagesize()), nil
}

// childFiles lays out the descriptors of the child. Numbers that are not named
// are closed in it: Go opens everything close-on-exec, but what the host
// itself inherited from whoever started it need not be. In a jail all of that is
// the trampoline's work, in one system call.
func childFiles(s *Spec, std [3]*os.File) ([]uintptr, []*os.File) {
	const closed = ^uintptr(0)
	fds := make([]uintptr, 0, 16)
	var keep []*os.File
	set := func(n int, fd uintptr) {
		for len(fds) <= n {
			fds = append(fds, closed)
		}
		fds[n] = fd
	}
	for n, f := range std {
		set(n, f.Fd())
		keep = append(keep, f)
	}
	if s.Jail == nil {
		for _, n := range inheritable() {
			set(n, closed)
		}
	}
	for _, n := range s.numbers() {
		set(n, s.Files[n].Fd())
		keep = append(keep, s.Files[n])
	}
	return fds, keep
}

// inheritable lists open descriptors from 3 up that an exec would pass on.
func inheritable() []int {
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	var open []int
	for _, name := range names {
		fd, err := strconv.Atoi(name)
		if err != nil || fd < 3 {
			continue
		}
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err == nil && flags&unix.FD_CLOEXEC == 0 {
			open = append(open, fd)
		}
	}
	return open
}
