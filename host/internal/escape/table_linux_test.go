package escape

// attempt is an attack, what it comes to in the four positions, and the layer
// that refuses it in the first two. Of several words one must come: kernels and
// users differ.
type attempt struct {
	name       string
	one, two   string // in the jail, in the two stages
	unfiltered string // in the jail, without the filter: what is behind it
	free       string // with neither
	layer      string
}

// killed is what the filter does with most.
const killed = "SIGSYS"

// arrive are attacks that would harm the machine if they succeeded, or that a
// process which hosts start cannot make succeed: it is shown that they come as far
// as the kernel's own refusal.
var arrive = map[string]bool{
	"load a kernel": true, "load a module": true, "load a module by descriptor": true, "unload a module": true,
	"set the clock": true, "swap": true, "quotas": true, "accounting": true,
	"unmount its root": true, "pivot_root": true, "open a file by its handle": true,
	"leave the session": true, "make memory grow down": true,
}

var attempts = map[string][]attempt{
	"Files": fileAttempts, "Network": networkAttempts, "Processes": processAttempts,
	"Kernel": kernelAttempts, "Memory": memoryAttempts,
}

var fileAttempts = []attempt{
	{"open a host file by path", "ENOENT", "ENOENT", "ENOENT", "ok", "filter"},
	{"open a file of its own root", "ENOENT", "ENOENT", "ok", "ok", "filter"},
	{"open a host file by dotdot", "ENOENT", "ENOENT", "ENOENT", "ok", "filter"},
	{"open a host file through its process", "ENOENT", "ENOENT", "ENOENT", "ok", "filter"},
	{"open its own process in proc", "ENOENT", "ENOENT", "ENOENT", "ok", "filter"},
	{"open a host file by an inherited descriptor", "ENOENT", "ENOENT", "EACCES", "ok", "filter"},
	{"openat2 past the root", killed, killed, "ENOENT", "ok", "filter"},
	{"openat2 within an inherited folder", killed, killed, "EACCES", "ok", "filter"},
	{"openat2 through a magic link", killed, killed, "ENOENT", "ok", "filter"},
	{"open a file by its handle", killed, killed, "EPERM EOPNOTSUPP", "ESTALE EPERM EOPNOTSUPP", "filter"},
	{"ask for the handle of a file", killed, killed, "ENOENT", "ok", "filter"},
	{"write a host file", "ENOENT", "ENOENT", "ENOENT", "ok", "filter"},
	{"fill the disk", "ENOENT", "ENOENT", "EACCES", "ok", "filter"},
	{"make files for ever", "ENOENT", "ENOENT", "EACCES", "ok", "filter"},
	{"make a folder", killed, killed, "ENOENT", "ok", "filter"},
	{"make a symbolic link", killed, killed, "ENOENT", "ok", "filter"},
	{"make a device", killed, killed, "ENOENT", "ok EPERM", "filter"},
	{"make a device beside its socket", killed, killed, "EACCES", "ok EPERM", "filter"},
	{"watch the host's files", killed, killed, "ENOENT", "ok", "filter"},
	{"watch file systems", killed, killed, "EPERM ENOSYS", "ok EPERM ENOSYS", "filter"},
	{"type into the terminal", "ENOTTY", "ENOTTY", "EPERM EIO", "ok EPERM EIO", "filter"},
	{"mount over a host folder", killed, killed, "ENOENT", "ok EPERM", "filter"},
	{"mount over its own folder", killed, killed, "EPERM", "ok EPERM", "filter"},
	{"copy a mount", killed, killed, "EPERM", "ok EPERM", "filter"},
	{"make a file system", killed, killed, "EPERM", "ok EPERM", "filter"},
	{"unmount its root", killed, killed, "ENOENT", "ENOENT", "filter"},
	{"pivot_root", killed, killed, "EPERM", "ENOENT EPERM", "filter"},
	{"chroot", killed, killed, "EPERM", "ok EPERM", "filter"},
}

var networkAttempts = []attempt{
	{"connect TCP", killed, killed, "EACCES", "ok", "filter"},
	{"connect multipath TCP", killed, killed, "ENETUNREACH EPROTONOSUPPORT ENOPROTOOPT EACCES", "ok EPROTONOSUPPORT ENOPROTOOPT EACCES", "filter"},
	{"listen on TCP", killed, killed, "EACCES", "ok", "filter"},
	{"listen on TCP without binding", killed, killed, "ok EACCES", "ok EACCES", "filter"},
	{"send UDP", killed, killed, "ENETUNREACH", "ok", "filter"},
	{"bind UDP", killed, killed, "ok", "ok", "filter"},
	{"raw IP", killed, killed, "EPERM", "ok EPERM", "filter"},
	{"ping", killed, killed, "EACCES ok", "EACCES ok", "filter"},
	{"packets", killed, killed, "EPERM", "ok EPERM", "filter"},
	{"netlink", killed, killed, "ok", "ok", "filter"},
	{"vsock", killed, killed, "ok EAFNOSUPPORT", "ok EAFNOSUPPORT", "filter"},
	{"kernel crypto", killed, killed, "EAFNOSUPPORT ok", "EAFNOSUPPORT ok", "filter"},
	{"connect to an abstract socket", killed, killed, "ECONNREFUSED", "ok", "filter"},
	{"connect to a socket with a path", killed, killed, "ENOENT", "ok", "filter"},
	{"connect to another sandbox's socket", killed, killed, "ENOENT", "ok", "filter"},
	{"bind an abstract socket", killed, killed, "ok", "ok", "filter"},
	{"Unix datagrams", killed, killed, "ok", "ok", "filter"},
	{"a pair of sockets", killed, killed, "ok", "ok", "filter"},
	{"look for interfaces", killed, killed, "ok", "ok", "filter"},
}

var processAttempts = []attempt{
	{"execve", killed, killed, "exit-1 lost", "exit-1 lost", "filter"},
	{"execveat of a memfd", killed, killed, "write-EFBIG ok", "ENOENT ok", "filter"},
	// At the limit of processes Go's own runtime may be the one that gets no thread: it
	// exits with 2.
	{"fork bomb", killed, killed, "EAGAIN exit-2", "ok", "filter"},
	{"vfork", killed, killed, "ok", "ok", "filter"},
	{"clone3", "ENOSYS", "ENOSYS", "ok", "ok", "filter"},
	{"clone into a user namespace", killed, killed, "ok EPERM ENOSPC", "ok EPERM ENOSPC", "filter"},
	{"unshare a network", killed, killed, "EPERM", "ok EPERM", "filter"},
	{"unshare mounts", killed, killed, "EPERM", "ok EPERM", "filter"},
	{"setns", killed, killed, "EBADF", "ok EPERM", "filter"},
	{"trace another sandbox", killed, killed, "ESRCH EPERM", "ok EPERM", "filter"},
	{"be traced by its parent", killed, killed, "ok", "ok", "filter"},
	{"read the memory of another sandbox", killed, killed, "ESRCH EPERM", "ok EPERM", "filter"},
	{"read the memory of the host", killed, killed, "ESRCH EPERM", "ok EPERM", "filter"},
	{"write the memory of another sandbox", killed, killed, "ESRCH EPERM", "ok EPERM", "filter"},
	{"hold the host by a pidfd", killed, killed, "ESRCH", "ok", "filter"},
	{"take a descriptor of another sandbox", killed, killed, "ESRCH EPERM", "ok EPERM", "filter"},
	{"signal the host", killed, killed, "ESRCH", "ok", "filter"},
	{"signal a thread of the host", killed, killed, "ESRCH", "ok", "filter"},
	{"signal everybody", killed, killed, "ESRCH", "ok", "filter"},
	{"signal by a descriptor", killed, killed, "ESRCH", "ok", "filter"},
	{"change the host's limits", killed, killed, "ESRCH", "ok", "filter"},
	{"slow the host", killed, killed, "ESRCH", "ok", "filter"},
	{"run before everybody", killed, killed, "EPERM", "ok EPERM", "filter"},
	{"compare with another process", killed, killed, "ESRCH ENOSYS", "ok ENOSYS", "filter"},
	{"read another process's memory map", "ENOENT", "ENOENT", "ENOENT", "ok", "filter"},
	{"become dumpable", "EINVAL", "EINVAL", "ok", "ok", "filter"},
	{"outlive the host by prctl", "EINVAL", "EINVAL", "ok", "ok", "filter"},
	{"adopt orphans", "EINVAL", "EINVAL", "ok", "ok", "filter"},
	{"leave the session", killed, killed, "EPERM", "EPERM", "filter"},
	{"allow core dumps", "EPERM", killed, "EPERM", "ok", "RLIMIT_CORE in one, filter in two"},
	{"raise the limit of files", "EPERM", killed, "EPERM ok", "EPERM ok", "no CAP_SYS_RESOURCE in one, filter in two"},
	{"setuid", killed, killed, "ok", "ok EPERM", "filter"},
	{"setgroups", killed, killed, "EPERM", "ok EPERM", "filter"},
	{"take capabilities", killed, killed, "EPERM", "ok EPERM", "filter"},
	{"rename the machine", killed, killed, "EPERM", "ok EPERM", "filter"},
	{"thread bomb", "exit-2", "exit-2", "exit-2", "ok", "RLIMIT_NPROC, or the control group"},
	{"copy descriptors for ever", killed, killed, "EMFILE", "ok", "filter"},
}

var kernelAttempts = []attempt{
	{"bpf", killed, killed, "EPERM", "ok EPERM", "filter"},
	{"io_uring", killed, killed, "ENOMEM EPERM", "ok EPERM ENOMEM", "filter"},
	{"userfaultfd", killed, killed, "ok EPERM", "ok EPERM", "filter"},
	{"keyctl", killed, killed, "ok ENOSYS EDQUOT", "ok ENOSYS EDQUOT", "filter"},
	{"add a key", killed, killed, "ok EDQUOT ENOSYS", "ok EDQUOT ENOSYS", "filter"},
	{"perf_event_open", killed, killed, "ok EACCES EPERM", "ok EACCES EPERM", "filter"},
	{"personality", killed, killed, "ok", "ok", "filter"},
	{"load a kernel", killed, killed, "ENOSYS EPERM EINVAL", "ENOSYS EPERM EINVAL", "filter"},
	{"load a module", killed, killed, "ENOSYS EPERM EFAULT ENOEXEC", "ENOSYS EPERM EFAULT ENOEXEC", "filter"},
	{"load a module by descriptor", killed, killed, "ENOSYS EPERM EBADF", "ENOSYS EPERM EBADF", "filter"},
	{"unload a module", killed, killed, "ENOSYS EPERM EFAULT", "ENOSYS EPERM EFAULT", "filter"},
	{"read the kernel log", killed, killed, "EPERM", "ok EPERM", "filter"},
	{"set the clock", killed, killed, "EINVAL", "EINVAL", "filter"},
	{"swap", killed, killed, "EPERM ENOSYS", "EFAULT EPERM ENOSYS", "filter"},
	{"quotas", killed, killed, "EINVAL ENOSYS", "EINVAL ENOSYS", "filter"},
	{"accounting", killed, killed, "EPERM ENOSYS", "EFAULT EPERM ENOSYS", "filter"},
	{"asynchronous input and output", killed, killed, "ok ENOSYS", "ok ENOSYS", "filter"},
	{"System V shared memory", killed, killed, "ok ENOSYS", "ok ENOSYS", "filter"},
	{"System V messages", killed, killed, "ok ENOSYS", "ok ENOSYS", "filter"},
	{"System V semaphores", killed, killed, "ok ENOSYS", "ok ENOSYS", "filter"},
	{"POSIX shared memory", "ENOENT", "ENOENT", "ENOENT", "ok", "filter"},
	{"POSIX messages", killed, killed, "EMFILE ENOSYS", "ok ENOSYS", "filter"},
	{"memfd", killed, killed, "ok", "ok", "filter"},
	{"secret memory", killed, killed, "ok ENOSYS", "ok ENOSYS", "filter"},
	{"landlock", killed, killed, "ok ENOSYS EOPNOTSUPP", "ok ENOSYS EOPNOTSUPP", "filter"},
	{"a filter more", killed, killed, "ok", "ok", "filter"},
	{"how busy is the machine", "EPERM", "EPERM", "ok", "ok", "filter"},
}

var memoryAttempts = []attempt{
	{"map writable code", "ok", killed, "ok", "ok", "filter in two"},
	{"map shared memory", killed, killed, "ok", "ok", "filter"},
	{"map memory that grows down", killed, killed, "ok", "ok", "filter"},
	{"map huge pages", killed, killed, "ENOMEM ok", "ENOMEM ok", "filter"},
	{"map locked memory", killed, killed, "EPERM", "ok", "filter"},
	{"make memory executable", "ok", killed, "ok", "ok", "filter in two"},
	{"make memory grow down", killed, killed, "EINVAL", "EINVAL", "filter"},
	{"make memory executable by key", killed, killed, "ok ENOSYS", "ok ENOSYS", "filter"},
	{"move memory and leave it", killed, killed, "ok", "ok", "filter"},
	{"move memory to a chosen place", killed, killed, "ok", "ok", "filter"},
	{"lock memory", killed, killed, "EPERM", "ok", "filter"},
	{"lock all memory", killed, killed, "EPERM", "ok", "filter"},
	{"remap pages of a file", killed, killed, "EINVAL ok", "EINVAL ok", "filter"},
	{"eat memory that is read-only", "ENOMEM", killed, "ok", "ok", "RLIMIT_AS in one, filter in two"},
	{"eat address space", "ENOMEM", "ENOMEM", "ENOMEM", "ok", "RLIMIT_AS"},
	{"x32", killed, killed, "ENOSYS ok EFAULT", "ENOSYS ok EFAULT", "filter"},
	{"write to the ring", "EFBIG", "EFBIG", "EFBIG", "ok", "RLIMIT_FSIZE, and the seal"},
	{"map the ring to write", "EPERM", "EPERM", "EPERM", "ok", "seal"},
	{"map the ring to execute", killed, killed, "ok", "ok", "filter"},
	{"make the ring's map writable", "EACCES", "EACCES", "EACCES", "ok", "seal"},
	{"punch a hole into the ring", "EINVAL", "EINVAL", "EACCES", "ok", "filter"},
	{"shorten the ring", killed, killed, "EPERM", "ok", "filter"},
	{"allocate a hole in the ring", killed, killed, "EPERM", "ok", "filter"},
	{"unseal the ring", killed, killed, "EPERM", "ok", "filter"},
	{"reopen the ring", "ENOENT", "ENOENT", "ENOENT", "ok", "filter"},
}
