package attack

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// fork makes a process that ends at once, and waits for it.
func fork(flags uintptr) string {
	pid, _, errno := unix.RawSyscall6(unix.SYS_CLONE, flags, 0, 0, 0, 0, 0)
	if errno != 0 {
		return said(errno)
	}
	if pid == 0 {
		unix.RawSyscall(unix.SYS_EXIT, 0, 0, 0)
	}
	_, err := unix.Wait4(int(pid), nil, 0, nil)
	return said(err)
}

const manyProcesses = 100

// forkBomb makes processes that wait, and ends them again.
func forkBomb(*World) string {
	var all []int
	defer func() {
		for _, pid := range all {
			_ = unix.Kill(pid, unix.SIGKILL)
			_, _ = unix.Wait4(pid, nil, 0, nil)
		}
	}()
	for range manyProcesses {
		pid, _, errno := unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
		if errno != 0 {
			return said(errno)
		}
		if pid == 0 {
			unix.RawSyscall(unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0)
			for {
				unix.RawSyscall(unix.SYS_PAUSE, 0, 0, 0)
			}
		}
		all = append(all, int(pid))
	}
	return OK
}

// inChild makes a system call in a child, which it ends if it fails: for exec.
// What the child could not do is its exit status.
func inChild(number, a, b, c, d, e uintptr) string {
	pid, _, errno := unix.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if errno != 0 {
		return said(errno)
	}
	if pid == 0 {
		_, _, errno := unix.RawSyscall6(number, a, b, c, d, e, 0)
		unix.RawSyscall(unix.SYS_EXIT_GROUP, uintptr(errno)+100, 0, 0)
	}
	var status unix.WaitStatus
	if _, err := unix.Wait4(int(pid), &status, 0, nil); err != nil {
		return said(err)
	}
	if n := status.ExitStatus(); n > 100 {
		return said(unix.Errno(n - 100))
	}
	return OK
}

// execve replaces the program by one that ends at once.
func execve(w *World) string {
	path, err := unix.BytePtrFromString(w.Self)
	if err != nil {
		return said(err)
	}
	argv := []*byte{path, nil}
	_, _, errno := unix.RawSyscall(unix.SYS_EXECVE, uintptr(unsafe.Pointer(path)),
		uintptr(unsafe.Pointer(&argv[0])), uintptr(unsafe.Pointer(&argv[1])))
	return said(errno)
}

// memfdExec executes what it has written itself.
func memfdExec(*World) string {
	fd, err := unix.MemfdCreate("program", unix.MFD_CLOEXEC)
	if err != nil {
		return said(err)
	}
	if _, err := unix.Write(fd, []byte("#!/nowhere\n")); err != nil {
		return "write-" + said(err)
	}
	var empty [1]byte
	argv := []*byte{&empty[0], nil}
	return inChild(unix.SYS_EXECVEAT, uintptr(fd), uintptr(unsafe.Pointer(&empty[0])),
		uintptr(unsafe.Pointer(&argv[0])), uintptr(unsafe.Pointer(&argv[1])), unix.AT_EMPTY_PATH)
}

// text is where the linker puts the code of Go programs.
const text = 0x400000

func readMemory(pid int) string {
	var b [4]byte
	_, err := unix.ProcessVMReadv(pid, []unix.Iovec{{Base: &b[0], Len: 4}}, []unix.RemoteIovec{{Base: text, Len: 4}}, 0)
	if err == nil && string(b[:]) != "\x7fELF" {
		return "not-it"
	}
	return said(err)
}

// scratch lies at one address in all processes of one program.
var scratch [4]byte

// writeMemory writes what is there already, where the other process is one of
// the same program; else EFAULT comes from behind the check of who may.
func writeMemory(pid int) string {
	var b [4]byte
	remote := []unix.RemoteIovec{{Base: uintptr(unsafe.Pointer(&scratch)), Len: 4}}
	_, err := unix.ProcessVMWritev(pid, []unix.Iovec{{Base: &b[0], Len: 4}}, remote, 0)
	return said(err)
}

// clone3 is fork by the call whose flags no filter can see.
func clone3(*World) string {
	args := [8]uint64{4: uint64(unix.SIGCHLD)} // exit_signal
	pid, _, errno := unix.RawSyscall(unix.SYS_CLONE3, uintptr(unsafe.Pointer(&args)), unsafe.Sizeof(args), 0)
	if errno != 0 {
		return said(errno)
	}
	if pid == 0 {
		unix.RawSyscall(unix.SYS_EXIT, 0, 0, 0)
	}
	_, err := unix.Wait4(int(pid), nil, 0, nil)
	return said(err)
}

// makeMap makes an array of one element in the kernel.
func makeMap(*World) string {
	attr := [32]uint32{2, 4, 4, 1} // BPF_MAP_TYPE_ARRAY, key, value, elements
	fd, _, errno := unix.Syscall(unix.SYS_BPF, 0, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr))
	if errno != 0 {
		return said(errno)
	}
	return opened(int(fd), nil)
}

func asynchronous(*World) string {
	var context uintptr
	if _, _, errno := unix.Syscall(unix.SYS_IO_SETUP, 1, uintptr(unsafe.Pointer(&context)), 0); errno != 0 {
		return said(errno)
	}
	return call(unix.SYS_IO_DESTROY, context)
}

func makeQueue(*World) string {
	name := append([]byte("ringfence-attack"), 0)
	fd, _, errno := unix.Syscall6(unix.SYS_MQ_OPEN, uintptr(unsafe.Pointer(&name[0])), unix.O_CREAT|unix.O_RDWR|unix.O_CLOEXEC, 0o600, 0, 0, 0)
	if errno != 0 {
		return said(errno)
	}
	_, _, _ = unix.Syscall(unix.SYS_MQ_UNLINK, uintptr(unsafe.Pointer(&name[0])), 0, 0)
	return opened(int(fd), nil)
}

// askForAction is what a program does before it installs a filter.
func askForAction(*World) string {
	action := uint32(0x7fff0000) // SECCOMP_RET_ALLOW
	if _, _, errno := unix.Syscall(unix.SYS_SECCOMP, 2, 0, uintptr(unsafe.Pointer(&action))); errno != 0 {
		return said(errno)
	}
	return OK
}

func terminal(fd int, b byte) string {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.TIOCSTI, uintptr(unsafe.Pointer(&b)))
	if errno != 0 {
		return said(errno)
	}
	return OK
}

func ignore(n unix.Signal) error {
	act := [4]uint64{1} // SIG_IGN
	_, _, errno := unix.Syscall6(unix.SYS_RT_SIGACTION, uintptr(n), uintptr(unsafe.Pointer(&act)), 0, 8, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

func realtime(*World) string {
	param := int32(1)
	_, _, errno := unix.Syscall(unix.SYS_SCHED_SETSCHEDULER, 0, unix.SCHED_FIFO, uintptr(unsafe.Pointer(&param)))
	if errno != 0 {
		return said(errno)
	}
	param = 0
	_, _, _ = unix.Syscall(unix.SYS_SCHED_SETSCHEDULER, 0, unix.SCHED_NORMAL, uintptr(unsafe.Pointer(&param)))
	return OK
}

func ring(*World) string {
	var params [120]byte
	fd, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, 1, uintptr(unsafe.Pointer(&params)), 0)
	if errno != 0 {
		return said(errno)
	}
	return opened(int(fd), nil)
}

func perf(*World) string {
	attr := unix.PerfEventAttr{Type: unix.PERF_TYPE_SOFTWARE, Config: unix.PERF_COUNT_SW_DUMMY, Size: uint32(unsafe.Sizeof(unix.PerfEventAttr{})), Bits: unix.PerfBitExcludeKernel | unix.PerfBitExcludeHv}
	return opened(unix.PerfEventOpen(&attr, 0, -1, -1, unix.PERF_FLAG_FD_CLOEXEC))
}

func addKey(*World) string {
	_, err := unix.AddKey("user", "ringfence-attack", []byte("x"), unix.KEY_SPEC_PROCESS_KEYRING)
	return said(err)
}

func messages(*World) string {
	id, _, errno := unix.Syscall(unix.SYS_MSGGET, unix.IPC_PRIVATE, 0o600, 0)
	if errno != 0 {
		return said(errno)
	}
	return call(unix.SYS_MSGCTL, id, unix.IPC_RMID, 0)
}
