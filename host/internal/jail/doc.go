// Package jail decides how sandbox processes are confined on this machine, and
// prepares the confinement of each one.
//
// Most of a jail is applied inside the new process, by the trampoline
// ringfence-jail (see its package comment). This is the other side: it tries
// each layer once, for real, in a child that executes nothing; it refuses to
// start a plugin whose policy demands more than there is; and for each process
// it makes what only the host can make: the namespaces' flags and id maps, a uid,
// the mounts of the root, a control group, and the orders.
//
// # Three ways
//
//	user namespace   every namespace; whoever runs the host. As root the
//	                 namespace's one uid is one that nobody else has.
//	real root        every namespace but the user's, and a uid of its own: for
//	                 root where user namespaces are switched off.
//	neither          no namespaces and no root of its own: Landlock, seccomp
//	                 and limits alone. UDP (before ABI 10), Unix sockets with a path
//	                 (before ABI 9) and multipath TCP are open to Landlock;
//	                 seccomp is what closes them.
//
// # What is not here
//
// Seccomp's two stages are the sandbox's own work: it knows when it has compiled
// its module. A native plugin gets its filter from the trampoline.
//
// Data goes in as a Room and comes out as a Cell, which package launch forks.
package jail
