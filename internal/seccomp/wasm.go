package seccomp

// channelFD is the socket over which a ring's memory comes: pluginkit.ChannelFD.
const channelFD = 3

// wasmOne is the filter of the WASM sandbox from before its handshake line. The
// process has loaded its libraries and made its socket; it opens nothing more.
func wasmOne(params Params) Table {
	t := Table{Default: Kill}
	return t.with(scheduling(params)...).
		with(memory(
			privateMemory(),
			droppableMemory(),
			ringMemory(),
			Form{Long(2, protRead), Long(3, mapPrivate)}, // the module, or its compiled code
		)...).
		with(talking()...).
		with(
			// What Load and Compile do before a byte of the module is looked at.
			forms("fcntl", "are the seals on the module's descriptor, and on the ring's? How were they opened, asks Go", Form{Int(1, fGetSeals, fGetFL)}),
			allow("fstat", "how large the module and the ring are"),
			forms("prlimit64", "lowering one's own limits when the size of the guest is known; without privileges nothing can be raised",
				Form{Int(0, 0, uint32(params.PID))}),
			forms("recvmsg", "the ring's descriptors, from the host", Form{Int(0, channelFD)}),
			// What Go, libc and the engine try by themselves, and do without.
			answer("openat", ENOENT, "time zones, CPU counts, unwinding tables: probing for files that a sandbox has no use for"),
			answer("newfstatat", ENOENT, "as openat"),
			answer("readlinkat", ENOENT, "as openat"),
			answer("unlinkat", ENOENT, "go-plugin removes its socket at the end; the host does that"),
			answer("ioctl", ENOTTY, "is the log a terminal? Among the others is TIOCSTI, which types into the host's"),
			answer("fsync", EINVAL, "go-plugin, after the handshake line; what a pipe would say too"),
			answer("getsockopt", EPERM, "gRPC's statistics ask for the options of each connection, and go without"),
			answer("sysinfo", EPERM, "libc's qsort asks for the size of memory; it says how busy the machine is"),
		)
}

// wasmTwo is what a process loses before a guest runs in it.
func wasmTwo() Table {
	t := Table{Default: Allow}
	return t.with(
		onlyMaps(privateMemory(0, protRead, protWrite, protRead|protWrite), droppableMemory(), ringMemory()),
		// RLIMIT_DATA counts what may be written now. Memory that was written
		// and then made read-only, or inaccessible, would no longer be counted.
		forms("mprotect", "memory that a guest or libc's malloc grows into, and new stacks: nothing becomes executable, and nothing ceases to be writable, which would take it off the limit of memory",
			Form{Long(2, protRead|protWrite)}),
	).
		with(withoutNewPeers()...).
		with(
			// fcntl (F_GET_SEALS), fstat and recvmsg on the host's socket stay as stage
			// one has them: a ring that stays full is exchanged for a larger one. The
			// host sends nothing else there, nobody else can send, and no descriptor can
			// be put in that one's place; so nothing but rings can be mapped.
			kill("prlimit64", "the limits are set"),
		)
}

// onlyMaps keeps native code from becoming other native code: a vulnerability
// that writes memory does not become one that executes it.
func onlyMaps(maps ...Form) Rule {
	return forms("mmap", "nothing executable, no files but the ring", maps...)
}

// withoutNewPeers leaves the one connection that there is.
func withoutNewPeers() []Rule {
	return []Rule{
		answer("accept4", EAGAIN, "nobody but the host connects, and the host has; EAGAIN parks Go's accept loop"),
		answer("getsockname", EPERM, "only new connections ask"),
		kill("seccomp", "no filter is needed any more, and adding them takes kernel memory that no limit counts"),
	}
}
