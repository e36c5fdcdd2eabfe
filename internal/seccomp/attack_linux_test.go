//go:build amd64 || arm64

package seccomp

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// attack is what native code in a sandbox may try. What a filter answers is
// "killed" or an errno.
type attack struct {
	name string
	// free is what comes of it without a filter: it works, or the kernel looks
	// at the arguments and refuses for reasons of its own.
	free     string
	one, two string
	try      func() string
}

const killed = "killed"

// TestAttacks tries each attack without a filter, in stage one and in stage two.
func TestAttacks(t *testing.T) {
	for _, a := range attacks {
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			if free := perform(t, a.name, "wasm"); !slices.Contains(strings.Fields(a.free), free.said) {
				t.Errorf("without a filter: %q, want one of %q: the attack proves nothing\n%s", free.said, a.free, free.text)
			}
			for stages, want := range map[string]string{"wasm 1": a.one, "wasm 12": a.two} {
				o := perform(t, a.name, stages)
				got := o.said
				if o.killed() {
					got = killed
				}
				if got != want {
					t.Errorf("%s: %q, want %q (%v)\n%s", stages, got, want, o.end, o.text)
				}
			}
		})
	}
}

func init() {
	for _, a := range attacks {
		deeds[a.name] = a.try
	}
}

// said puts the end of a call into a word.
func said(err error) string {
	if err == nil {
		return "ok"
	}
	if errno, ok := err.(unix.Errno); ok {
		if name := unix.ErrnoName(errno); name != "" {
			return name
		}
	}
	return strings.ReplaceAll(err.Error(), " ", "-")
}

func raw(number uintptr, args ...uintptr) string {
	var a [6]uintptr
	copy(a[:], args)
	_, _, errno := unix.Syscall6(number, a[0], a[1], a[2], a[3], a[4], a[5])
	if errno != 0 {
		return said(errno)
	}
	return "ok"
}

func numeric(number uintptr, args ...uintptr) func() string {
	return func() string { return raw(number, args...) }
}

func socket(family, kind, proto int) func() string {
	return func() string {
		_, err := unix.Socket(family, kind, proto)
		return said(err)
	}
}

const (
	never   = ^uintptr(0) // no descriptor, no process
	reached = "EBADF EPERM EINVAL EFAULT ENOENT ESRCH EACCES ENOSYS ok"
)

var attacks = slices.Concat(fileAttacks, networkAttacks, processAttacks, memoryAttacks, kernelAttacks, filterAttacks)

var fileAttacks = []attack{
	{"open a file of the host", "ok", "ENOENT", "ENOENT", func() string {
		_, err := unix.Openat(unix.AT_FDCWD, "/proc/self/status", unix.O_RDONLY, 0)
		return said(err)
	}},
	{"openat2", "ok", killed, killed, func() string {
		_, err := unix.Openat2(unix.AT_FDCWD, "/proc/self/status", &unix.OpenHow{Resolve: unix.RESOLVE_NO_XDEV >> 8})
		return said(err)
	}},
	{"open a file by its handle", reached, killed, killed, func() string {
		_, err := unix.OpenByHandleAt(-1, unix.NewFileHandle(1, []byte("12345678")), 0)
		return said(err)
	}},
	{"where am I", "ok", "ENOENT", "ENOENT", func() string {
		_, err := unix.Readlink("/proc/self/exe", make([]byte, 100))
		return said(err)
	}},
	{"who is there", "ok", "ENOENT", "ENOENT", func() string {
		var s unix.Stat_t
		return said(unix.Fstatat(unix.AT_FDCWD, "/proc/1", &s, 0))
	}},
	{"make a folder", "ok", killed, killed, func() string { return said(unix.Mkdirat(unix.AT_FDCWD, "folder", 0o700)) }},
	{"make a link", "ok", killed, killed, func() string { return said(unix.Symlinkat("/", unix.AT_FDCWD, "link")) }},
	{"remove a file", "ok", "ENOENT", "ENOENT", func() string { return said(unix.Unlinkat(unix.AT_FDCWD, "victim", 0)) }},
	{"copy a descriptor", "ok", killed, killed, func() string {
		_, err := unix.FcntlInt(uintptr(have.memfd), unix.F_DUPFD, 0)
		return said(err)
	}},
	{"signal the host by F_SETOWN", "ok", killed, killed, func() string {
		_, err := unix.FcntlInt(uintptr(have.memfd), unix.F_SETOWN, unix.Getppid())
		return said(err)
	}},
	{"terminal tricks", "ok", "ENOTTY", "ENOTTY", func() string {
		_, err := unix.IoctlGetInt(have.pipe, unix.TIOCINQ)
		return said(err)
	}},
	{"truncate the ring", "ok", killed, killed, func() string { return said(unix.Ftruncate(have.memfd, 1)) }},
	{"watch files", "ok", killed, killed, func() string {
		_, err := unix.InotifyInit1(0)
		return said(err)
	}},
	{"mount", reached, killed, killed, func() string { return said(unix.Mount("none", "/nowhere", "tmpfs", 0, "")) }},
	{"chroot", reached, killed, killed, func() string { return said(unix.Chroot("/nowhere")) }},
}

var networkAttacks = []attack{
	{"TCP", "ok", killed, killed, socket(unix.AF_INET, unix.SOCK_STREAM, 0)},
	{"UDP", "ok", killed, killed, socket(unix.AF_INET6, unix.SOCK_DGRAM, 0)},
	{"raw packets", "ok EPERM", killed, killed, socket(unix.AF_PACKET, unix.SOCK_RAW, 0)},
	{"netlink", "ok", killed, killed, socket(unix.AF_NETLINK, unix.SOCK_RAW, 0)},
	{"vsock", "ok EAFNOSUPPORT", killed, killed, socket(unix.AF_VSOCK, unix.SOCK_STREAM, 0)},
	{"Unix socket", "ok", killed, killed, socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)},
	{"a pair of sockets", "ok", killed, killed, func() string {
		_, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		return said(err)
	}},
	{"connect", "ok", killed, killed, func() string {
		return said(unix.Connect(have.client, &unix.SockaddrUnix{Name: "listener"}))
	}},
	{"bind", "ok", killed, killed, func() string {
		return said(unix.Bind(have.client, &unix.SockaddrUnix{Name: "second"}))
	}},
	{"send a descriptor", "ok", killed, killed, func() string {
		return said(unix.Sendmsg(have.pair[0], []byte{1}, unix.UnixRights(have.memfd), nil, 0))
	}},
	{"receive a descriptor", "ok", killed, killed, func() string {
		_, _, _, _, err := unix.Recvmsg(have.pair[1], make([]byte, 1), make([]byte, 64), 0)
		return said(err)
	}},
	{"a second peer", "ok", "ok", "EAGAIN", func() string {
		_, _, err := unix.Accept4(have.waiting, unix.SOCK_CLOEXEC)
		return said(err)
	}},
}

var processAttacks = []attack{
	{"execve", "ok", killed, killed, func() string { return said(unix.Exec("/proc/self/exe", []string{"x"}, []string{envDo + "=nothing"})) }},
	{"fork", "ok", killed, killed, func() string { return fork(uintptr(unix.SIGCHLD)) }},
	{"fork into a user namespace", "ok EPERM", killed, killed, func() string { return fork(unix.CLONE_NEWUSER | uintptr(unix.SIGCHLD)) }},
	{"clone3", "EINVAL", "ENOSYS", "ENOSYS", numeric(unix.SYS_CLONE3, 0, 0)},
	{"unshare", "ok EPERM", killed, killed, func() string { return said(unix.Unshare(unix.CLONE_NEWUTS)) }},
	{"setns", reached, killed, killed, func() string { return said(unix.Setns(-1, 0)) }},
	{"ptrace", "ESRCH", killed, killed, numeric(unix.SYS_PTRACE, unix.PTRACE_ATTACH, 0)}, // no such process
	{"read the memory of a process", "ok", killed, killed, func() string {
		local, remote := []byte{0}, []byte{1}
		return said(readOwn(local, remote))
	}},
	{"pidfd", "ok", killed, killed, func() string {
		_, err := unix.PidfdOpen(unix.Getpid(), 0)
		return said(err)
	}},
	{"take a descriptor", "ok EPERM", killed, killed, func() string {
		_, err := unix.PidfdGetfd(have.pidfd, 1, 0)
		return said(err)
	}},
	{"signal a pidfd", "ok", killed, killed, func() string { return said(unix.PidfdSendSignal(have.pidfd, 0, nil, 0)) }},
	{"kill the host", "ok", killed, killed, func() string { return said(unix.Kill(have.parent, 0)) }},
	{"kill a thread of the host", "ok", killed, killed, func() string { return said(unix.Tgkill(have.parent, have.parent, 0)) }},
	{"limits of the host", "ok", killed, killed, func() string {
		var r unix.Rlimit
		return said(unix.Prlimit(have.parent, unix.RLIMIT_NOFILE, nil, &r))
	}},
	{"raise the priority", "ok", killed, killed, func() string { return said(unix.Setpriority(unix.PRIO_PROCESS, 0, 5)) }},
	{"leave the session", "ok EPERM", killed, killed, func() string {
		_, err := unix.Setsid()
		return said(err)
	}},
	{"become dumpable", "ok", "EINVAL", "EINVAL", func() string { return said(unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0)) }},
	{"outlive the host", "ok", "EINVAL", "EINVAL", func() string { return said(unix.Prctl(unix.PR_SET_PDEATHSIG, 0, 0, 0, 0)) }},
	{"setuid", "ok EPERM", killed, killed, func() string { return raw(unix.SYS_SETUID, uintptr(unix.Getuid())) }},
}

var kernelAttacks = []attack{
	{"io_uring", reached, killed, killed, numeric(unix.SYS_IO_URING_SETUP, 1, 0)},
	{"bpf", reached, killed, killed, numeric(unix.SYS_BPF, 0, 0, 0)},
	{"perf", reached, killed, killed, numeric(unix.SYS_PERF_EVENT_OPEN, 0, 0, 0, never, 0)},
	{"userfaultfd", reached, killed, killed, numeric(unix.SYS_USERFAULTFD, 1)},
	{"keyctl", reached + " ENOKEY", killed, killed, numeric(unix.SYS_KEYCTL, 0, never, 0)},
	{"add_key", reached, killed, killed, numeric(unix.SYS_ADD_KEY, 0, 0, 0, 0, 0)},
	{"personality", "ok", killed, killed, numeric(unix.SYS_PERSONALITY, 0xffffffff)},
	{"landlock", "ok ENOSYS EOPNOTSUPP", killed, killed, numeric(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, 1)},
	{"kernel log", reached, killed, killed, numeric(unix.SYS_SYSLOG, 10, 0, 0)},
	{"asynchronous input and output", "EFAULT", killed, killed, numeric(unix.SYS_IO_SETUP, 1, 0)},
	{"a futex with priority inheritance", "ok", killed, killed, func() string { return lockPI() }},
	{"how busy is the machine", "ok", "EPERM", "EPERM", func() string {
		var s unix.Sysinfo_t
		return said(unix.Sysinfo(&s))
	}},
	{"x32", "ENOSYS EFAULT ok", killed, killed, numeric(x32Bit|unix.SYS_GETPID, 0)},
}

var filterAttacks = []attack{
	{"a filter with a listener", "ok", killed, killed, func() string {
		f, err := Table{Default: Allow}.Assemble(Here)
		if err != nil {
			return said(err)
		}
		_, err = f.InstallThreadListener()
		return said(err)
	}},
	{"one filter more", "ok", "ok", killed, func() string {
		f, err := Table{Default: Allow}.Assemble(Here)
		if err != nil {
			return said(err)
		}
		return said(f.Install())
	}},
	{"a thread from before the filter", "ok", killed, killed, func() string {
		have.early <- struct{}{}
		return <-have.result
	}},
	{"a new thread", "ok", killed, killed, func() string {
		result := make(chan string)
		go locked(func() { result <- socket(unix.AF_INET, unix.SOCK_STREAM, 0)() })
		return <-result
	}},
}

func TestWindowsCanBeMapped(t *testing.T) {
	for _, stages := range []string{"wasm", "wasm 1", "wasm 12"} {
		if o := perform(t, "a window", stages); o.said != "ok" {
			t.Errorf("%s: %q (%v)\n%s", stages, o.said, o.end, o.text)
		}
	}
}
