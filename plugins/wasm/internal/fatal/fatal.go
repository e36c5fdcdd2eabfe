// Package fatal sees to it, by being linked in, that a process whose C or Rust
// code has crashed ends at once.
//
// A sandbox is the first process of its PID namespace, and the kernel withholds
// from such a process every signal that it sends itself and has no handler for.
// That is how Go ends a program whose foreign threads fault: it restores the
// default action, raises the signal, and goes on when that did not help. So a
// compiler thread that ran out of memory (abort, and behind it a privileged
// instruction) faulted for ever, 800 times a second, until the host's deadline.
//
// A handler that was there before the Go runtime is one that Go forwards such
// faults to. This one says which signal it was, and leaves.
package fatal
