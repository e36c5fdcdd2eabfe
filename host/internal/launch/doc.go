// Package launch starts sandbox processes through go-plugin, and closes what
// go-plugin leaves open to a plugin that means harm.
//
// go-plugin launches the process, hands it the magic cookie and reads the
// handshake. It was written for plugins that one trusts: it panics on a log line
// with a number for a message, dials whatever address it is told, gives the
// plugin the host's standard input and environment, and waits for ever for a
// stopped process. So this package supplies the runner.Runner under it and
// everything that touches bytes of the plugin:
//
//   - handshake.go takes the first line apart and shows go-plugin a rewritten one;
//   - printed.go escapes, bounds and logs what is printed; go-plugin sees none;
//   - socket_linux.go connects to one socket in one folder and asks the kernel
//     who serves it;
//   - conn.go speaks go-plugin's standard services (health, stdio, shutdown) on a
//     bounded connection of our own, without its broker;
//   - metered.go takes frames slowly that carry no messages;
//   - codec.go refuses messages that are small to send and large to decode;
//   - child_linux.go forks on a thread of its own, sees death through a pidfd
//     and kills without waiting on the victim's good will.
//
// Data goes in as a Spec and comes out as a Process: a connection, a channel
// that closes on death, and how it died. What is said over the connection is
// none of this package's business. Confinement is that of package jail, whose
// cells are forked here; without a process namespace a process that starts a
// session of its own escapes Kill.
package launch
