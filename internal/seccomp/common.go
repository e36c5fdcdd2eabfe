package seccomp

// What every process here needs: to compute, in several threads, with memory of
// its own, and to talk over descriptors that it has.
//
// Not in these tables, so deadly: io_uring (file and socket calls that no filter
// sees), ptrace and process_vm_* and pidfd_getfd (other processes), bpf,
// perf_event_open, userfaultfd, keyctl, unshare, setns, mount and their kin
// (kernel surface behind most local exploits), memfd_create and shmget (memory
// that no limit counts), execve, fork, kill, socket, connect.

// scheduling is threads, time and signals.
func scheduling(params Params) []Rule {
	return []Rule{
		forms("futex", "locks of Go and libc, and waiting at the ring; no priority inheritance, whose kernel code has been exploited again and again",
			Form{Int(1, futexWait, futexWake, futexRequeue, futexCmpRequeue, futexWakeOp, futexWaitBitset, futexWakeBitset).
				Besides(futexPrivate | futexRealtime)}),
		forms("futex_waitv", "waiting at several rings; it has no operations with priority inheritance, and no flags yet", Form{Int(2, 0)}),
		forms("clone", "threads, and nothing else: the exact flags of glibc, Go and musl. Any others would make processes or namespaces",
			Form{Long(0, cloneThreadGlibc, cloneThreadGo, cloneThreadGoTLS, cloneThreadMusl)}),
		answer("clone3", ENOSYS, "its flags are behind a pointer, where no filter can check them; libc falls back to clone"),
		allow("set_robust_list", "libc, at the start of a thread"),
		allow("rseq", "libc, at the start of a thread"),
		allow("exit", "the end of a thread"),
		allow("exit_group", "the end of the process"),
		allow("restart_syscall", "the kernel's own, to go on with a wait after a stop"),
		allow("sched_yield", "spinning locks"),
		allow("sched_getaffinity", "how many threads to use; own or other, it says nothing that /proc/stat would not"),
		allow("nanosleep", "Go's scheduler"),
		allow("clock_nanosleep", "sleeping"),
		allow("clock_gettime", "time, where the vDSO cannot give it"),
		allow("rt_sigaction", "the engine turns faults of the guest into traps"),
		allow("rt_sigprocmask", "signal handling of Go and libc"),
		allow("rt_sigreturn", "the end of every signal handler"),
		allow("sigaltstack", "signal stacks, one for each thread"),
		forms("tgkill", "Go interrupts its own threads with signals; to any other process it is an attack",
			Form{Int(0, uint32(params.PID))}),
		allow("getpid", "before tgkill"),
		allow("gettid", "locks of libc, signals of Go"),
		allow("getrandom", "seeds of hash tables"),
		forms("prctl", "names of threads. Other requests are answered with no, since Go names its memory and libc asks about things; among them are attacks, such as becoming dumpable, or outliving the host",
			Form{Int(0, prSetName)},
			Form{Int(0, prSetDumpable), Long(1, 0)}).or(EINVAL), // becoming opaque, which nothing takes back
	}
}

// privateMemory is a private anonymous mapping. Shared memory is not counted by
// RLIMIT_DATA, and neither is a mapping that grows downwards, so both would be a
// way around the limit of memory. Locked and huge pages are not needed.
func privateMemory(prot ...uint32) Form {
	form := Form{Long(3, mapPrivate|mapAnonymous).Besides(mapFixed | mapNoReplace | mapNoReserve | mapStack)}
	if len(prot) > 0 {
		form = append(form, Long(2, prot...))
	}
	return form
}

// droppableMemory is where Go and libc keep the state of the vDSO's getrandom, a
// page for some threads, at any time. RLIMIT_DATA counts it.
func droppableMemory() Form {
	return Form{Long(2, protRead|protWrite), Long(3, mapDroppable|mapAnonymous)}
}

// ringMemory is a shared mapping of a file, which only a ring's descriptor can
// be: nothing else that a sandbox has can be mapped shared. Never executable,
// since the other side writes to it. MAP_FIXED puts a window into the memory of
// a guest.
func ringMemory() Form {
	return Form{Long(2, protRead, protRead|protWrite), Long(3, mapShared).Besides(mapFixed)}
}

func memory(maps ...Form) []Rule {
	return append(memoryWithoutCode(maps...),
		forms("mprotect", "guard pages, the memory of guests as it grows, compiled code; without PROT_GROWSDOWN and the like",
			Form{Long(2, 0).Besides(protRead | protWrite | protExec)}))
}

// memoryWithoutCode leaves mprotect to the caller.
func memoryWithoutCode(maps ...Form) []Rule {
	return []Rule{
		forms("mmap", "memory of one's own, not shared (RLIMIT_DATA would not count it) and not growing downwards (likewise); and the ring", maps...),
		forms("mremap", "libc's realloc; not to a chosen place, and not leaving the old place mapped", Form{Long(3, 0, mremapMayMove)}),
		allow("munmap", "memory that is no longer needed"),
		allow("brk", "libc's malloc"),
		forms("madvise", "giving memory back, huge pages, and guard pages of new libc's stacks. In particular not MADV_REMOVE, which punches holes into the ring",
			Form{Int(2, madvDontNeed, madvFree, madvHugePage, madvNoHugePage, madvCollapse, madvGuardInstall, madvGuardRemove)}).or(EINVAL),
	}
}

// talking is reading and writing what is open already.
func talking() []Rule {
	return []Rule{
		allow("read", "the connection to the host"),
		allow("write", "the connection to the host, and the log"),
		allow("close", "descriptors that are done with"),
		allow("epoll_pwait", "Go's network poller"),
		allow("epoll_ctl", "Go's network poller"),
		allow("accept4", "the host's one connection, in stage one"),
		allow("getsockname", "Go asks for the local address of a connection"),
		forms("seccomp", "the way to stage two: one more filter, for all threads; never a listener, under which a thread could be made to wait for another",
			Form{Int(0, seccompSetModeFilter), Int(1, seccompTSync)}),
	}
}
