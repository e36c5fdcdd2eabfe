package attack

import (
	"fmt"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

func init() {
	register(map[string]func(*World) string{
		"execve":                      execve,
		"execveat of a memfd":         memfdExec,
		"fork bomb":                   forkBomb,
		"vfork":                       func(*World) string { return fork(unix.CLONE_VM | unix.CLONE_VFORK | uintptr(unix.SIGCHLD)) },
		"clone3":                      clone3,
		"clone into a user namespace": func(*World) string { return fork(unix.CLONE_NEWUSER | uintptr(unix.SIGCHLD)) },
		"unshare a network":           func(*World) string { return said(unix.Unshare(unix.CLONE_NEWNET)) },
		"unshare mounts":              func(*World) string { return said(unix.Unshare(unix.CLONE_NEWNS)) },
		"setns":                       enterNamespace,
		"trace another sandbox": func(w *World) string {
			err := unix.PtraceSeize(w.Other)
			return said(err)
		},
		"be traced by its parent":             beTraced,
		"read the memory of another sandbox":  func(w *World) string { return readMemory(w.Other) },
		"read the memory of the host":         func(w *World) string { return readMemory(w.Host) },
		"write the memory of another sandbox": func(w *World) string { return writeMemory(w.Other) },
		"hold the host by a pidfd":            func(w *World) string { return opened(unix.PidfdOpen(w.Host, 0)) },
		"take a descriptor of another sandbox": func(w *World) string {
			fd, err := unix.PidfdOpen(w.Other, 0)
			if err != nil {
				return said(err)
			}
			return opened(unix.PidfdGetfd(fd, 0, 0))
		},
		"signal the host":             func(w *World) string { return said(unix.Kill(w.Host, 0)) },
		"signal a thread of the host": func(w *World) string { return said(unix.Tgkill(w.Host, w.Host, 0)) },
		"signal everybody":            func(*World) string { return said(unix.Kill(-1, 0)) },
		"signal by a descriptor": func(w *World) string {
			_, err := unix.FcntlInt(0, unix.F_SETOWN, w.Host)
			return said(err)
		},
		"change the host's limits": func(w *World) string {
			var l unix.Rlimit
			return said(unix.Prlimit(w.Host, unix.RLIMIT_NOFILE, nil, &l))
		},
		"slow the host":        func(w *World) string { return said(unix.Setpriority(unix.PRIO_PROCESS, w.Host, 0)) },
		"run before everybody": realtime,
		"compare with another process": func(w *World) string {
			_, _, errno := unix.Syscall6(unix.SYS_KCMP, uintptr(w.Other), uintptr(w.Other), 0, 0, 0, 0)
			if errno != 0 {
				return said(errno)
			}
			return OK
		},
		"read another process's memory map": func(w *World) string { return open(fmt.Sprintf("/proc/%d/maps", w.Other), unix.O_RDONLY) },
		"become dumpable":                   func(*World) string { return said(unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0)) },
		"outlive the host by prctl":         func(*World) string { return said(unix.Prctl(unix.PR_SET_PDEATHSIG, 0, 0, 0, 0)) },
		"adopt orphans":                     func(*World) string { return said(unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)) },
		"leave the session":                 func(*World) string { _, err := unix.Setsid(); return said(err) },
		"allow core dumps":                  func(*World) string { return raise(unix.RLIMIT_CORE) },
		"raise the limit of files":          func(*World) string { return raise(unix.RLIMIT_NOFILE) },
		"setuid":                            numeric(unix.SYS_SETUID, 0),
		"setgroups":                         numeric(unix.SYS_SETGROUPS, 0, 0),
		"take capabilities": func(*World) string {
			h := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
			set := [2]unix.CapUserData{{Effective: 1, Permitted: 1}}
			return said(unix.Capset(&h, &set[0]))
		},
		"rename the machine": func(*World) string {
			var u unix.Utsname
			if err := unix.Uname(&u); err != nil {
				return said(err)
			}
			return said(unix.Sethostname(u.Nodename[:clen(u.Nodename[:])])) // to what it is called
		},
		"stop itself": func(*World) string {
			return said(unix.Tgkill(os.Getpid(), unix.Gettid(), unix.SIGSTOP))
		},
		"spin": func(*World) string {
			fmt.Fprintln(stderr, Begun)
			for n := 0; ; n++ {
				runtime.KeepAlive(n)
			}
		},
		"sit": func(*World) string {
			fmt.Fprintln(stderr, Begun)
			for {
				time.Sleep(time.Hour)
			}
		},
		"thread bomb":               threads,
		"sit after the host":        sitOn,
		"copy descriptors for ever": copyDescriptors,
	})
}

// OnMainThread makes a part of an attack on the thread that executed the
// program: the parent-death signal belongs to it. Native code can go there by a
// signal handler; here whoever runs the attacks helps.
var OnMainThread = func(f func()) { f() }

// Begun is what an attack prints that does not end.
const Begun = "the attack has begun"

// stderr is the one that the process was started with: go-plugin replaces
// os.Stderr.
var stderr = os.Stderr

// enterNamespace enters one that it is in already, or none, where there is no
// way to open it: what may enter one may enter others.
func enterNamespace(*World) string {
	fd, err := unix.Open("/proc/self/ns/uts", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return call(unix.SYS_SETNS, none, unix.CLONE_NEWUTS)
	}
	defer unix.Close(fd)
	return said(unix.Setns(fd, unix.CLONE_NEWUTS))
}

// beTraced must not receive a signal any more when it has succeeded: the thread
// would stop, with all that waits for it, until a tracer that does not trace lets
// it go on. Go's runtime signals its threads as it likes. And it must be the first
// thread: the end of another one would be its tracer's to see, and until then the
// process does not end.
func beTraced(*World) (result string) {
	OnMainThread(func() {
		runtime.LockOSThread()
		var all, before unix.Sigset_t
		for i := range all.Val {
			all.Val[i] = ^all.Val[i]
		}
		if err := unix.PthreadSigmask(unix.SIG_BLOCK, &all, &before); err != nil {
			result = fmt.Sprintf("mask-%v", err)
			return
		}
		if result = call(unix.SYS_PTRACE, unix.PTRACE_TRACEME); result != OK {
			_ = unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil)
			runtime.UnlockOSThread()
		}
	})
	return result
}

func clen(b []byte) int {
	for i, c := range b {
		if c == 0 {
			return i
		}
	}
	return len(b)
}

// sitOn does what it can to outlive its host, and sits.
func sitOn(*World) string {
	for n := unix.Signal(1); n < 32; n++ {
		_ = ignore(n)
	}
	var err error
	OnMainThread(func() { err = unix.Prctl(unix.PR_SET_PDEATHSIG, 0, 0, 0, 0) })
	fmt.Fprintln(stderr, Begun, said(err))
	for {
		time.Sleep(time.Hour)
	}
}

func raise(resource int) string {
	var now unix.Rlimit
	if err := unix.Prlimit(0, resource, nil, &now); err != nil {
		return said(err)
	}
	now.Max++
	if now.Max == 0 {
		now.Max-- // without limit already
	}
	return said(unix.Prlimit(0, resource, &unix.Rlimit{Cur: now.Max, Max: now.Max}, nil))
}

const manyDescriptors = 5000

func copyDescriptors(*World) string {
	var all []int
	defer func() {
		for _, fd := range all {
			_ = unix.Close(fd)
		}
	}()
	for range manyDescriptors {
		fd, err := unix.Dup(2)
		if err != nil {
			return said(err)
		}
		all = append(all, fd)
	}
	return OK
}

const manyThreads = 500

// threads makes as many as the runtime needs for goroutines that keep theirs. A
// runtime that gets none ends its process.
func threads(*World) string {
	end := make(chan struct{})
	begun := make(chan struct{})
	for range manyThreads {
		go func() {
			runtime.LockOSThread()
			begun <- struct{}{}
			<-end
			runtime.UnlockOSThread()
		}()
		<-begun
	}
	close(end)
	return OK
}
