package seccomp

import (
	"strings"
	"testing"
)

// verdict runs a call through both stages and takes the strictest answer.
type stages struct{ one, two Filter }

func build(t testing.TB, p Profile, arch Arch, params Params) stages {
	t.Helper()
	var s stages
	var err error
	if s.one, err = p.Filter(One, params, arch); err != nil {
		t.Fatal(err)
	}
	if s.two, err = p.Filter(Two, params, arch); err != nil {
		t.Fatal(err)
	}
	return s
}

func run(t testing.TB, f Filter, c Call) Action {
	t.Helper()
	a, err := f.Run(c)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (s stages) verdicts(t testing.TB, name string, args ...uint64) (one, two Action) {
	t.Helper()
	c := s.one.Call(name, args...)
	one = run(t, s.one, c)
	return one, Strictest(one, run(t, s.two, c))
}

const (
	self    = 1234
	other   = 1
	high    = 1 << 32
	private = mapPrivate | mapAnonymous
)

var each = []Arch{AMD64, ARM64}

// case of a table: a call, and what becomes of it in each stage.
type judged struct {
	name     string
	syscall  string
	args     []uint64
	one, two Action
}

func args(a ...uint64) []uint64 { return a }

func judge(t *testing.T, p Profile, params Params, cases []judged) {
	for _, arch := range each {
		s := build(t, p, arch, params)
		for _, c := range cases {
			if _, ok := arch.Number(c.syscall); !ok {
				continue
			}
			one, two := s.verdicts(t, c.syscall, c.args...)
			if one != c.one || two != c.two {
				t.Errorf("%s %s %s %#x: %v and %v in stage two, want %v and %v", arch, c.name, c.syscall, c.args, one, two, c.one, c.two)
			}
		}
	}
}

func TestWASMProfile(t *testing.T) {
	judge(t, WASM, Params{PID: self}, []judged{
		{"the host's connection", "read", args(7), Allow, Allow},
		{"the host's connection", "write", args(7), Allow, Allow},
		{"a lock", "futex", args(0, futexWait|futexPrivate), Allow, Allow},
		{"a lock with a deadline", "futex", args(0, futexWaitBitset|futexRealtime), Allow, Allow},
		{"the upper half of an int", "futex", args(0, high|futexWake), Allow, Allow},
		{"priority inheritance", "futex", args(0, 6), Kill, Kill},
		{"priority inheritance, private", "futex", args(0, 6|futexPrivate), Kill, Kill},
		{"requeue with priority inheritance", "futex", args(0, 12), Kill, Kill},
		{"an unknown flag of futex", "futex", args(0, 0x200), Kill, Kill},
		{"several rings", "futex_waitv", args(0, 2, 0), Allow, Allow},
		{"an unknown flag of futex_waitv", "futex_waitv", args(0, 2, 1), Kill, Kill},
		{"a thread of glibc", "clone", args(cloneThreadGlibc), Allow, Allow},
		{"a thread of Go", "clone", args(cloneThreadGo), Allow, Allow},
		{"a thread of Go without cgo", "clone", args(cloneThreadGoTLS), Allow, Allow},
		{"fork", "clone", args(17), Kill, Kill},
		{"vfork", "clone", args(0x4100 | 17), Kill, Kill},
		{"a user namespace", "clone", args(cloneThreadGlibc | 0x10000000), Kill, Kill},
		{"flags above the 32nd bit", "clone", args(cloneThreadGlibc | high), Kill, Kill},
		{"flags behind a pointer", "clone3", nil, Refuse(ENOSYS), Refuse(ENOSYS)},
		{"own thread", "tgkill", args(self, 2, 23), Allow, Allow},
		{"another process", "tgkill", args(other, 1, 9), Kill, Kill},
		{"all processes", "kill", args(1<<64-1, 9), Kill, Kill},
		{"another thread", "tkill", args(other, 9), Kill, Kill},
		{"a name", "prctl", args(prSetName), Allow, Allow},
		{"becoming dumpable", "prctl", args(4, 1), Refuse(EINVAL), Refuse(EINVAL)},
		{"outliving the host", "prctl", args(1, 0), Refuse(EINVAL), Refuse(EINVAL)},

		{"memory", "mmap", args(0, 4096, protRead|protWrite, private), Allow, Allow},
		{"a stack", "mmap", args(0, 4096, 0, private|mapStack|mapNoReserve), Allow, Allow},
		{"over what is there", "mmap", args(0, 4096, protRead, private|mapFixed), Allow, Allow},
		{"new code", "mmap", args(0, 4096, protRead|protExec, private), Allow, Kill},
		{"writable code", "mmap", args(0, 4096, 7, private), Allow, Kill},
		{"new code by a flag above", "mmap", args(0, 4096, high|protRead, private), Allow, Kill},
		{"shared memory", "mmap", args(0, 4096, 3, mapShared|mapAnonymous), Kill, Kill},
		{"growing downwards", "mmap", args(0, 4096, 3, private|0x100), Kill, Kill},
		{"locked", "mmap", args(0, 4096, 3, private|0x2000), Kill, Kill},
		{"huge pages", "mmap", args(0, 4096, 3, private|0x40000), Kill, Kill},
		{"no type", "mmap", args(0, 4096, 3, mapAnonymous), Kill, Kill},
		{"the vDSO's state", "mmap", args(0, 4096, 3, mapDroppable|mapAnonymous), Allow, Allow},
		{"droppable code", "mmap", args(0, 4096, 7, mapDroppable|mapAnonymous), Kill, Kill},
		{"flags above the 32nd bit", "mmap", args(0, 4096, 3, high|private), Kill, Kill},
		{"the ring", "mmap", args(0, 4096, 3, mapShared, 5), Allow, Allow},
		{"a window", "mmap", args(0, 4096, protRead, mapShared|mapFixed, 5), Allow, Allow},
		{"an executable window", "mmap", args(0, 4096, protRead|protExec, mapShared|mapFixed, 5), Kill, Kill},
		{"a write-only window", "mmap", args(0, 4096, protWrite, mapShared|mapFixed, 5), Kill, Kill},
		{"a window, synchronous", "mmap", args(0, 4096, 3, 3|mapFixed, 5), Kill, Kill},
		{"the module", "mmap", args(0, 4096, protRead, mapPrivate, 4), Allow, Kill},
		{"a file as code", "mmap", args(0, 4096, protRead|protExec, mapPrivate, 4), Kill, Kill},
		{"a guard page", "mprotect", args(0, 4096, 0), Allow, Kill},
		{"memory to write to", "mprotect", args(0, 4096, protRead|protWrite), Allow, Allow},
		{"written memory that is not counted", "mprotect", args(0, 4096, protRead), Allow, Kill},
		{"a guard page of a new libc", "madvise", args(0, 4096, madvGuardInstall), Allow, Allow},
		{"compiled code", "mprotect", args(0, 4096, protRead|protExec), Allow, Kill},
		{"a stack", "mprotect", args(0, 4096, 3|0x01000000), Kill, Kill},
		{"protection keys", "pkey_mprotect", args(0, 4096, 7), Kill, Kill},
		{"realloc", "mremap", args(0, 1, 2, mremapMayMove), Allow, Allow},
		{"to a chosen place", "mremap", args(0, 1, 2, 3), Kill, Kill},
		{"the ring's pages", "madvise", args(0, 4096, madvPopulateRead), Allow, Allow},
		{"giving back", "madvise", args(0, 4096, madvDontNeed), Allow, Allow},
		{"a hole in the ring", "madvise", args(0, 4096, 9), Refuse(EINVAL), Refuse(EINVAL)},
		{"a hole by process_madvise", "process_madvise", nil, Kill, Kill},
		{"memory that no limit counts", "memfd_create", nil, Kill, Kill},
		{"memory that no limit counts", "memfd_secret", nil, Kill, Kill},

		{"the host's connection", "accept4", nil, Allow, Refuse(EAGAIN)},
		{"the host's connection", "getsockname", nil, Allow, Refuse(EPERM)},
		{"a new socket", "socket", args(1, 1), Kill, Kill},
		{"a pair of sockets", "socketpair", args(1, 1), Kill, Kill},
		{"a connection", "connect", nil, Kill, Kill},
		{"the ring's descriptors, and a larger one's", "recvmsg", args(channelFD), Allow, Allow},
		{"descriptors of somebody", "recvmsg", args(8), Kill, Kill},
		{"seals", "fcntl", args(4, fGetSeals), Allow, Allow},
		{"flags of the ring", "fcntl", args(4, fGetFL), Allow, Allow},
		{"a copy", "fcntl", args(4, 0), Kill, Kill},
		{"a signal when readable", "fcntl", args(4, 8, other), Kill, Kill},
		{"own limits", "prlimit64", args(0, 2), Allow, Kill},
		{"another process's limits", "prlimit64", args(other, 2), Kill, Kill},
		{"stage two", "seccomp", args(1, 1), Allow, Kill},
		{"a listener", "seccomp", args(1, 9), Kill, Kill},
		{"strict mode", "seccomp", args(0, 0), Kill, Kill},

		{"a file", "openat", nil, Refuse(ENOENT), Refuse(ENOENT)},
		{"a file", "open", nil, Kill, Kill},
		{"a file", "openat2", nil, Kill, Kill},
		{"a file by handle", "open_by_handle_at", nil, Kill, Kill},
		{"typing into the terminal", "ioctl", args(0, 0x5412), Refuse(ENOTTY), Refuse(ENOTTY)},
	})
}

func TestNativeProfile(t *testing.T) {
	const fd = 9
	judge(t, Native, Params{PID: self, ExecFD: fd}, []judged{
		{"the plugin", "execveat", args(fd, 0, 0, 0, atEmptyPath), Allow, Kill},
		{"another file", "execveat", args(fd+1, 0, 0, 0, atEmptyPath), Kill, Kill},
		{"a path", "execveat", args(fd, 0, 0, 0, 0), Kill, Kill},
		{"a path", "execve", nil, Kill, Kill},
		{"a library's code", "mmap", args(0, 4096, 5, mapPrivate|mapFixed|mapDenyWrite, 4), Allow, Kill},
		{"a file", "mmap", args(0, 4096, protRead, mapPrivate, 4), Allow, Allow},
		{"an executable ring", "mmap", args(0, 4096, 5, mapShared, 4), Kill, Kill},
		{"a file, past the kernel's look at set-user-ID", "mmap", args(0, 4096, protRead|protWrite, mapShared, 4), Kill, Kill},
		{"the same, by way of mprotect", "mmap", args(0, 4096, protRead, mapShared, 4), Kill, Kill},
		{"shared memory", "mmap", args(0, 4096, 3, mapShared|mapAnonymous), Kill, Kill},
		{"a file", "openat", nil, Allow, Allow},
		{"a new file", "openat", args(0, 0, oCreat, 0o666), Allow, Allow},
		{"a set-user-ID file", "openat", args(0, 0, oCreat, 0o4755), Refuse(EPERM), Refuse(EPERM)},
		{"a set-group-ID file", "openat", args(0, 0, oCreat, 0o2755), Refuse(EPERM), Refuse(EPERM)},
		{"a mode", "fchmod", args(5, 0o755), Allow, Allow},
		{"set-user-ID", "fchmod", args(5, 0o4755), Refuse(EPERM), Refuse(EPERM)},
		{"set-user-ID by path", "fchmodat", args(5, 0, 0o4755), Kill, Kill},
		{"memory", "mmap", args(0, 4096, protRead|protWrite, private), Allow, Allow},
		{"writable code", "mmap", args(0, 4096, protRead|protWrite|protExec, private), Kill, Kill},
		{"code of its own making", "mmap", args(0, 4096, protRead|protExec, private), Kill, Kill},
		{"a file as writable code", "mmap", args(0, 4096, protRead|protWrite|protExec, mapPrivate, 4), Kill, Kill},
		{"memory becomes code", "mprotect", args(0, 4096, protRead|protExec), Kill, Kill},
		{"written and then read-only", "mprotect", args(0, 4096, protRead), Allow, Allow},
		{"becoming opaque", "prctl", args(prSetDumpable, 0), Allow, Allow},
		{"becoming dumpable", "prctl", args(prSetDumpable, 1), Refuse(EINVAL), Refuse(EINVAL)},
		{"dumpable in the high half", "prctl", args(prSetDumpable, high), Refuse(EINVAL), Refuse(EINVAL)},
		{"another peer", "accept4", args(5), Allow, Refuse(EAGAIN)},
		{"a filter more", "seccomp", args(seccompSetModeFilter, seccompTSync), Allow, Kill},
		{"flags behind a pointer", "openat2", nil, Refuse(ENOSYS), Refuse(ENOSYS)},
		{"the listener", "socket", args(afUnix, sockStream|sockCloexec|sockNonblock), Allow, Kill},
		{"a listener's option", "setsockopt", args(3, solSocket, soReuseAddr), Allow, Allow},
		{"a packet filter", "setsockopt", args(3, solSocket, 26), Refuse(EPERM), Refuse(EPERM)},
		{"an eBPF packet filter", "setsockopt", args(3, solSocket, 50), Refuse(EPERM), Refuse(EPERM)},
		{"another level's option", "setsockopt", args(3, 0, soReuseAddr), Refuse(EPERM), Refuse(EPERM)},
		{"errors of a socket", "getsockopt", args(3, solSocket, soError), Allow, Allow},
		{"a pidfd of the host", "getsockopt", args(3, solSocket, 77), Refuse(EPERM), Refuse(EPERM)},
		{"its own thread", "sched_setaffinity", args(0), Allow, Allow},
		{"the host's thread", "sched_setaffinity", args(other), Refuse(EPERM), Refuse(EPERM)},
		{"a send", "sendto", args(3, 0, 0, msgNoSignal), Allow, Allow},
		{"a byte out of band", "sendto", args(3, 0, 0, 1), Refuse(EOPNOTSUPP), Refuse(EOPNOTSUPP)},
		{"receive out of band", "recvfrom", args(3, 0, 0, 1), Refuse(EOPNOTSUPP), Refuse(EOPNOTSUPP)},
		{"its own policy", "sched_getscheduler", args(0), Allow, Allow},
		{"the host's policy", "sched_getscheduler", args(other), Refuse(EPERM), Refuse(EPERM)},
		{"the host's priority", "sched_getparam", args(other), Refuse(EPERM), Refuse(EPERM)},
		{"a barrier for its own threads", "membarrier", args(membarrierPrivate), Allow, Allow},
		{"a barrier for every processor", "membarrier", args(1), Refuse(EINVAL), Refuse(EINVAL)},
		{"a barrier for other processes", "membarrier", args(2), Refuse(EINVAL), Refuse(EINVAL)},
		{"room for a file", "fallocate", args(3, 0), Allow, Allow},
		{"a hole in a file", "fallocate", args(6, 3), Refuse(EOPNOTSUPP), Refuse(EOPNOTSUPP)},
		{"blocks out of the middle of a file", "fallocate", args(3, 8), Refuse(EOPNOTSUPP), Refuse(EOPNOTSUPP)},
		{"a new name", "renameat2", args(0, 0, 0, 0, renameNoReplace), Allow, Allow},
		{"a name that leaves a device", "renameat2", args(0, 0, 0, 0, 4), Refuse(EINVAL), Refuse(EINVAL)},
		{"datagrams", "socket", args(afUnix, 2), Refuse(EAFNOSUPPORT), Kill},
		{"TCP", "socket", args(2, sockStream), Refuse(EAFNOSUPPORT), Kill},
		{"netlink", "socket", args(16, 3), Refuse(EAFNOSUPPORT), Kill},
		{"vsock", "socket", args(40, sockStream), Refuse(EAFNOSUPPORT), Kill},
		{"out of the root", "connect", nil, Refuse(EPERM), Refuse(EPERM)},
		{"descriptors of somebody", "recvmsg", args(channelFD), Kill, Kill},
		{"what a ring would be", "mmap", args(0, 4096, protRead|protWrite, mapShared, RingInFD), Kill, Kill},
		{"fork", "clone", args(17), Kill, Kill},
		{"another process", "tgkill", args(other, 1, 9), Kill, Kill},
		{"io_uring", "io_uring_setup", nil, Kill, Kill},
		{"typing into the terminal", "ioctl", args(0, 0x5412), Refuse(ENOTTY), Refuse(ENOTTY)},
	})
	// Without a descriptor to execute, nothing is executed.
	judge(t, Native, Params{PID: self}, []judged{
		{"standard input", "execveat", args(0, 0, 0, 0, atEmptyPath), Kill, Kill},
	})
}

// The narrow filter lets a program start and serve, and open no file.
func TestWASMProfileOfANativePlugin(t *testing.T) {
	const fd, name = 9, oRDWR | oCreat | oExcl | oCloexec
	judge(t, WASM, Params{PID: self, ExecFD: fd}, []judged{
		{"the plugin", "execveat", args(fd, 0, 0, 0, atEmptyPath), Allow, Kill},
		{"another file", "execveat", args(fd+1, 0, 0, 0, atEmptyPath), Kill, Kill},
		{"go-plugin's name", "openat", args(0, 0, name, 0o600), Allow, Allow},
		{"a set-user-ID file", "openat", args(0, 0, name, 0o4600), Refuse(ENOENT), Refuse(ENOENT)},
		{"a file that is there", "openat", args(0, 0, oRDWR), Refuse(ENOENT), Refuse(ENOENT)},
		{"a file that may be there", "openat", args(0, 0, oRDWR|oCreat), Refuse(ENOENT), Refuse(ENOENT)},
		{"a folder", "mkdirat", nil, Kill, Kill},
		{"a name", "renameat", nil, Kill, Kill},
		{"a mode", "fchmod", nil, Kill, Kill},
		{"a library's code", "mmap", args(0, 4096, protRead|protExec, mapPrivate, 4), Kill, Kill},
		{"a file", "mmap", args(0, 4096, protRead, mapPrivate, 4), Kill, Kill},
		{"memory becomes code", "mprotect", args(0, 4096, protRead|protExec), Kill, Kill},
		{"the listener", "socket", args(afUnix, sockStream|sockCloexec|sockNonblock), Allow, Kill},
		{"TCP", "socket", args(2, sockStream), Refuse(EAFNOSUPPORT), Kill},
	})
}

// deadly are calls that no profile may have. They stand in for the whole kernel:
// whatever has no rule dies, but these must never get one by mistake.
var deadly = strings.Fields(`
	acct add_key bpf chroot clock_settime delete_module execve fanotify_init finit_module fork fsopen fspick
	init_module io_setup io_uring_enter io_uring_register io_uring_setup ioperm iopl kcmp kexec_file_load kexec_load
	keyctl kill landlock_create_ruleset landlock_restrict_self lookup_dcookie memfd_create memfd_secret mknod mknodat
	modify_ldt mount mount_setattr move_mount name_to_handle_at open_by_handle_at open_tree perf_event_open
	personality pidfd_getfd pidfd_open pidfd_send_signal pivot_root pkey_mprotect process_madvise
	process_vm_readv process_vm_writev ptrace quotactl reboot request_key rt_sigqueueinfo rt_tgsigqueueinfo sendmsg
	setdomainname sethostname setns setrlimit setuid shmat shmget socketpair splice swapon syslog tkill umount2 unshare
	userfaultfd ustat vfork vmsplice`)

func TestDeadly(t *testing.T) {
	for _, arch := range each {
		for _, p := range []Profile{WASM, Native} {
			s := build(t, p, arch, Params{PID: self})
			for _, name := range deadly {
				if !known(name) {
					t.Errorf("%s does not exist", name)
				}
				if _, ok := arch.Number(name); !ok {
					continue
				}
				if one, two := s.verdicts(t, name); one != Kill || two != Kill {
					t.Errorf("%s %s: %s gets %v and %v", arch, p, name, one, two)
				}
			}
		}
	}
}

// A number means another call under another architecture or ABI.
func TestForeignCalls(t *testing.T) {
	for _, p := range []Profile{WASM, Native} {
		for _, arch := range each {
			s := build(t, p, arch, Params{PID: self})
			for name, c := range map[string]Call{
				"i386":      {Number: 3, Arch: 0x40000003},
				"arm":       {Number: 3, Arch: 0x40000028},
				"no number": {Number: 1<<32 - 1},
				"x32 read":  {Number: x32Bit},
				"x32 last":  {Number: x32Bit | 547},
			} {
				one, err := s.one.Run(c)
				if err != nil || one != Kill {
					t.Errorf("%s %s %s: %v %v", p, arch, name, one, err)
				}
			}
			two, err := s.two.Run(Call{Number: 3, Arch: 0x40000003})
			if err != nil || two != Kill {
				t.Errorf("%s %s: stage two lets another architecture through: %v %v", p, arch, two, err)
			}
		}
	}
}

func TestNotifying(t *testing.T) {
	table, err := WASM.Table(One, Params{PID: self})
	if err != nil {
		t.Fatal(err)
	}
	f, err := table.notifying().Assemble(AMD64)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		call Call
		want Action
	}{
		"no rule":         {f.Call("ptrace"), Notify},
		"wrong arguments": {f.Call("clone", 17), Notify},
		"probe":           {f.Call("openat"), Refuse(ENOENT)},
		"allowed":         {f.Call("read"), Allow},
		"x32":             {Call{Number: x32Bit}, Kill},
		"i386":            {Call{Number: 3, Arch: 0x40000003}, Kill},
	} {
		if got := run(t, f, c.call); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestStrictest(t *testing.T) {
	for _, c := range []struct{ a, b, want Action }{
		{Allow, Kill, Kill}, {Kill, Refuse(EPERM), Kill}, {Refuse(EPERM), Notify, Refuse(EPERM)}, {Notify, Allow, Notify},
	} {
		if got, back := Strictest(c.a, c.b), Strictest(c.b, c.a); got != c.want || back != c.want {
			t.Errorf("%v and %v: %v, %v", c.a, c.b, got, back)
		}
	}
}

// Mistakes in a table are found, not assembled.
func TestTablesThatAreWrong(t *testing.T) {
	for want, rules := range map[string][]Rule{
		"no such system call": {allow("opneat", "a typing error")},
		"there is one":        {allow("read", "a"), kill("read", "b")},
		"no reason":           {allow("read", "")},
		"no verdict":          {{Syscall: "read", Why: "a"}},
		"checks nothing":      {forms("read", "a", Form{})},
		"argument 6":          {forms("read", "a", Form{Int(6, 0)})},
		"no value":            {forms("read", "a", Form{Int(0)})},
		"can never be":        {forms("read", "a", Form{Int(0, 3).Besides(1)})},
	} {
		_, err := Table{Default: Kill}.with(rules...).Assemble(AMD64)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if _, err := (Table{}).Assemble(AMD64); err == nil {
		t.Error("a table without a default was assembled")
	}
	if _, err := (Table{Default: Kill}).Assemble("riscv64"); err == nil {
		t.Error("a table was assembled for an unknown architecture")
	}
	for _, params := range []Params{{}, {PID: -1}, {ExecFD: 3}} {
		if _, err := WASM.Table(One, params); err == nil {
			t.Errorf("%+v was accepted", params)
		}
	}
}
