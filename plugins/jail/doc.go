// Command ringfence-jail is executed before a plugin: it locks its process down,
// layer by layer, and executes the plugin in its own place.
//
// Nobody but a host starts it: it reads its orders (package orders) from the
// socket that its only argument names, and may wait for them for as long as the
// host lives, since hosts start one before they need it. Namespaces come with the
// fork, from the host; everything else happens here, since nothing of the host's
// own may run between a fork and an exec.
//
// # One thread
//
// Capabilities, no_new_privs, Landlock domains and seccomp filters belong to
// threads, and a Go program has several from the start. All the work is done on
// the main thread, which is locked, by system calls that are not repeated on
// the others; execve then ends the others and carries this one's state over.
// No thread is missed, and nothing needs /proc, which the new root has not.
//
// # Order
//
// Each layer is applied while what it needs is still there: mounts before
// capabilities go, capabilities before Landlock (which forbids mounts), the
// parent-death signal after the uid has changed (which clears it), and seccomp
// last, with the one exec that is left to do.
package main
