package pingpong

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func anonymousFile(size int) (*os.File, error) {
	fd, err := unix.MemfdCreate("bench", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	f := os.NewFile(uintptr(fd), "memfd")
	return f, f.Truncate(int64(size))
}

func socketPair() (ours, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	return os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "theirs"), nil
}

// dieWithParent is for a plugin, whose standard input go-plugin takes: the kernel
// kills it when the thread that starts it ends, which in a Go program is when
// the program does, unless a goroutine was locked to the thread.
func dieWithParent(cmd *exec.Cmd) {
	OwnGroup(cmd)
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
}

// OwnGroup keeps a terminal's Ctrl-C from a process: it is for whoever started it
// to end it, in order, and to say why.
func OwnGroup(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
}

// cpuTime is what a process has used since it began, all its threads together.
func cpuTime(pid int) time.Duration {
	clock := int32(unix.CLOCK_PROCESS_CPUTIME_ID)
	if pid != os.Getpid() {
		clock = int32(^pid<<3 | 2) // the kernel's number for another process's CPU clock
	}
	var ts unix.Timespec
	if unix.ClockGettime(clock, &ts) != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}

// usableCPUs lists the CPUs that this process may run on.
func usableCPUs() ([]int, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, os.NewSyscallError("sched_getaffinity", err)
	}
	var cpus []int
	for cpu := 0; len(cpus) < set.Count(); cpu++ {
		if set.IsSet(cpu) {
			cpus = append(cpus, cpu)
		}
	}
	return cpus, nil
}

// pinned calls start on a thread that may run on one CPU only. A process that
// start starts inherits that, with all its threads and children.
func pinned(cpu int, start func() error) error {
	done := make(chan error)
	go func() {
		// Never unlocked: the thread ends with this goroutine, and its
		// affinity with it.
		runtime.LockOSThread()
		var set unix.CPUSet
		set.Set(cpu)
		if err := unix.SchedSetaffinity(0, &set); err != nil {
			done <- os.NewSyscallError("sched_setaffinity", err)
			return
		}
		done <- start()
	}()
	return <-done
}
