package seccomp

import "slices"

// nativeOne is the filter for a third party's plugin, installed before it is
// executed: so it has to allow what a dynamic loader does, what a Go program and
// libc do to start, and go-plugin's socket; and files, since the granted
// workspace is in the plugin's root. What the plugin may do with paths is not
// decided here but by its root and by Landlock, which see them.
//
// Its code is what was executed and its libraries, from read-only files: no
// memory that was ever writable becomes executable. So compilers that run what
// they have made (of Java, JavaScript, Lua) cannot be plugins.
//
// No file but the ring is mapped shared. The kernel takes set-user-ID from a file
// when it is written to, but not when that happens through a mapping: a plugin could
// put its own code into a program of the workspace that others run as its owner. A
// mapping for reading would do as well, since mprotect makes it one for writing. So
// the ring is known by its descriptors, in whose place nothing can be put; see kept.
func nativeOne(params Params) Table {
	t := Table{Default: Kill}
	return t.with(executed(params)...).
		with(nativeMemory(params,
			Form{Long(2, 0, protRead, protRead|protWrite, protRead|protExec), Long(3, mapPrivate).Besides(mapFixed | mapNoReplace | mapDenyWrite | mapNoReserve)}, // libraries, files
		)...).
		with(files(params)...)
}

// wasmNative is the "wasm" profile for a third party's plugin, installed before it
// is executed: the filter of the WASM sandbox, and what it takes to start a static
// program and to make go-plugin's socket. No file is opened and none is mapped.
func wasmNative(params Params) Table {
	t := Table{Default: Kill}
	return t.with(executed(params)...).
		with(nativeMemory(params)...).
		with(
			forms("openat", "go-plugin makes a file to find a name for its socket, and removes it; other files are answered as not there",
				Form{Int(2, oRDWR|oCreat|oExcl|oCloexec), without(3, setID)}).or(ENOENT),
			allow("unlinkat", "that file, and the socket at the end: the only ones that Landlock lets go"),
			descriptors(params),
			allow("fstat", "libc and Go ask what standard output is"),
			answer("newfstatat", ENOENT, "as openat"),
			answer("readlinkat", ENOENT, "as openat"),
			answer("statx", ENOSYS, "callers fall back to newfstatat"),
			answer("ioctl", ENOTTY, "is it a terminal? Among the others is TIOCSTI, which types into the host's"),
			answer("fsync", EINVAL, "go-plugin, after the handshake line; what a pipe would say too"),
			allow("writev", "as write"),
			allow("readv", "as read"),
		)
}

// executed is what any third party's plugin needs, beside memory and files.
func executed(params Params) []Rule {
	rules := slices.Concat(scheduling(params), talking(), starting(params), sockets())
	if params.Ring {
		rules = kept(rules, "close", 0)
	}
	if params.ExecFD != 0 {
		rules = append(rules, forms("execveat", "the plugin itself, from the descriptor that the trampoline holds and the execution closes; another file under that number is for Landlock to refuse",
			Form{Int(0, uint32(params.ExecFD)), Int(4, atEmptyPath)}))
	}
	return rules
}

// kept makes a rule refuse the ring's descriptors as one of its arguments, which
// would close them or put another file in their place.
//
// These are all the calls that could: close_range is not allowed at all; what makes
// new descriptors takes free numbers; and at an execution those go that are marked so
// (see descriptors), of which a plugin has one in its hand, of itself.
func kept(rules []Rule, name string, arg int) []Rule {
	rules = slices.Clone(rules)
	for i, r := range rules {
		if r.Syscall == name {
			rules[i] = Rule{Syscall: name, When: []Form{{Int(arg, RingOutFD, RingInFD)}}, Then: Refuse(EPERM), Else: r.Then,
				Why: r.Why + "; the ring's descriptors stay what they are"}
		}
	}
	return rules
}

// descriptors is fcntl. The ring's are not marked to be closed by an execution.
func descriptors(params Params) Rule {
	const why = "flags, seals and copies of descriptors; no leases, and no owners to be signalled"
	if !params.Ring {
		return forms("fcntl", why, Form{Int(1, fGetFD, fSetFD, fGetFL, fSetFL, fDupFDCloexec, fGetSeals)})
	}
	others := []Form{{Int(1, fGetFD, fGetFL, fSetFL, fDupFDCloexec, fGetSeals)}, {Int(1, fSetFD), Int(0, 0, 1, 2, 3, 4, 7)}}
	for _, bit := range []uint32{8, 16, 32} { // all numbers above: RLIMIT_NOFILE is 64
		others = append(others, Form{Int(1, fSetFD), {Arg: 0, Mask: bit, In: []uint32{bit}}})
	}
	return forms("fcntl", why+"; the ring's stay what they are", others...)
}

// ownRing is the memory of the ring by its descriptors, if there is one.
func ownRing(params Params) []Form {
	if !params.Ring {
		return nil
	}
	return []Form{append(ringMemory(), Long(4, RingOutFD, RingInFD))}
}

func nativeMemory(params Params, maps ...Form) []Rule {
	maps = slices.Concat([]Form{privateMemory(0, protRead, protWrite, protRead|protWrite), droppableMemory()}, ownRing(params), maps)
	return append(memoryWithoutCode(maps...),
		forms("mprotect", "guard pages, growing memory, and what a loader makes read-only when it has written it: nothing becomes executable",
			Form{Long(2, 0).Besides(protRead | protWrite)}))
}

// without allows every value of an argument that has none of the bits.
func without(arg int, bits uint32) Check { return Check{Arg: arg, Mask: bits, In: []uint32{0}} }

// starting is what loaders, libc and runtimes do first.
func starting(params Params) []Rule {
	return []Rule{
		allow("arch_prctl", "libc's thread storage on amd64"),
		allow("set_tid_address", "libc, at the start"),
		forms("prlimit64", "libc and Go ask for limits and lower them; without privileges nothing can be raised",
			Form{Int(0, 0, uint32(params.PID))}),
		allow("getrlimit", "as prlimit64"),
		allow("uname", "libc asks for the kernel's release"),
		answer("sysinfo", EPERM, "the size of memory, and how busy the machine is"),
		allow("getuid", "libc, at the start"),
		allow("geteuid", "libc, at the start"),
		allow("getgid", "libc, at the start"),
		allow("getegid", "libc, at the start"),
		allow("getppid", "says 0 in a process namespace"),
		allow("getrusage", "its own CPU time"),
		allow("times", "its own CPU time"),
		allow("gettimeofday", "time, where the vDSO cannot give it"),
		allow("clock_getres", "time"),
		forms("sched_setaffinity", "runtimes pin the thread they are on; with another's number it would be the host, where there are no process namespaces",
			Form{Int(0, 0, uint32(params.PID))}).or(EPERM),
		forms("sched_getparam", "libc, for the attributes of a thread; not of other processes", Form{Int(0, 0, uint32(params.PID))}).or(EPERM),
		forms("sched_getscheduler", "libc, for the attributes of a thread; not of other processes", Form{Int(0, 0, uint32(params.PID))}).or(EPERM),
		forms("membarrier", "runtimes, among their own threads. The global forms interrupt the processors of others, or wait for all of them",
			Form{Int(0, membarrierQuery, membarrierPrivate, membarrierRegisterPrivate, membarrierPrivateCore, membarrierRegisterPrivateCore)}).or(EINVAL),
	}
}

// files is working with files of the plugin's root.
func files(params Params) []Rule {
	rules := []Rule{
		answer("ioctl", ENOTTY, "is it a terminal? Among the others is TIOCSTI, which types into the host's"),
		descriptors(params),
		forms("renameat2", "as renameat. Not RENAME_WHITEOUT, which leaves a character device under the old name, and Landlock lets it",
			Form{Int(4, 0, renameNoReplace, renameExchange)}).or(EINVAL),
		forms("fallocate", "room for a file. What else there is moves blocks about, or makes holes, which in a ring's memory the host would fill again; callers do without",
			Form{Int(1, 0, fallocKeepSize)}).or(EOPNOTSUPP),
		answer("openat2", ENOSYS, "its flags are behind a pointer; callers fall back to openat"),
		answer("statx", ENOSYS, "callers fall back to newfstatat"),
		answer("faccessat2", ENOSYS, "callers fall back to faccessat"),
	}
	for _, c := range []struct {
		name string
		mode int // the argument that holds it
	}{{"openat", 3}, {"open", 2}, {"fchmod", 1}} {
		rules = append(rules, forms(c.name, "files of the plugin's root, as far as Landlock allows; none that is set-user-ID or set-group-ID, with which somebody else on the machine could become the owner of the workspace",
			Form{without(c.mode, setID)}).or(EPERM))
	}
	for _, name := range []string{
		"newfstatat", "fstat", "stat", "lstat", "access", "faccessat", "readlinkat", "readlink",
		"getcwd", "lseek", "pread64", "pwrite64", "readv", "writev", "preadv", "pwritev", "getdents64", "fsync",
		"fdatasync", "ftruncate", "fadvise64", "unlinkat", "unlink", "rmdir", "mkdirat", "mkdir",
		"renameat", "rename", "umask", "dup", "dup2", "dup3", "copy_file_range", "statfs", "fstatfs",
	} {
		rules = append(rules, allow(name, "files of the plugin's root, as far as Landlock allows"))
	}
	if params.Ring {
		rules = kept(kept(rules, "dup2", 1), "dup3", 1)
	}
	return rules
}

// sockets is go-plugin's listener, and what event loops need.
func sockets() []Rule {
	return []Rule{
		forms("socket", "go-plugin's listener, and nothing that reaches a network: Unix streams only. Others get the errno of a kernel without networking",
			Form{Int(0, afUnix), Int(1, sockStream).Besides(sockNonblock | sockCloexec)}).or(EAFNOSUPPORT),
		allow("bind", "go-plugin's listener"),
		allow("listen", "go-plugin's listener"),
		answer("connect", EPERM, "a path socket reached from the plugin's root would be a way out; libc tries one for user names"),
		allow("getpeername", "Go asks for the address of a connection"),
		forms("getsockopt", "Go asks for the type and errors of a socket, event loops for a little more. Not for its peer: SO_PEERPIDFD would be a descriptor of the host",
			Form{Int(1, solSocket), Int(2, soType, soError, soSndBuf, soRcvBuf, soAcceptConn, soProtocol, soDomain)}).or(EPERM),
		forms("setsockopt", "Go, on a new listener. Not SO_ATTACH_FILTER, a program that the kernel would compile and run",
			Form{Int(1, solSocket), Int(2, soReuseAddr, soSndBuf, soRcvBuf, soKeepAlive)}).or(EPERM),
		allow("shutdown", "the end of a connection"),
		forms("sendto", "libc's send, on the one connection. Not MSG_OOB, whose handling on Unix sockets has been exploited",
			Form{Int(3, 0).Besides(msgDontWait | msgNoSignal | msgMore)}).or(EOPNOTSUPP),
		forms("recvfrom", "libc's recv, on the one connection; not MSG_OOB",
			Form{Int(3, 0).Besides(msgDontWait | msgPeek | msgWaitAll)}).or(EOPNOTSUPP),
		allow("pipe2", "go-plugin takes over standard output"),
		allow("eventfd2", "event loops"),
		allow("epoll_create1", "event loops"),
		allow("poll", "event loops"),
		allow("ppoll", "event loops"),
		allow("epoll_wait", "event loops"),
	}
}

// nativeTwo is what a native plugin loses when it serves: what it needed to
// start. A plugin written with pluginkit enters it by itself, before it hears of
// the first call; of others nobody knows when they have started.
func nativeTwo() Table {
	t := Table{Default: Allow}
	return t.with(onlyMaps(
		privateMemory(0, protRead, protWrite, protRead|protWrite),
		droppableMemory(),
		ringMemory(),
		Form{Long(2, protRead, protRead|protWrite), Long(3, mapPrivate)},
	)).
		with(withoutNewPeers()...).
		with(
			kill("execveat", "the plugin has been executed"),
			kill("socket", "the listener exists"),
			kill("bind", "the listener exists"),
			kill("listen", "the listener exists"),
		)
}
