// Package threads lowers the stack size of every thread of the process that is
// started after it, by being linked in.
//
// A guest runs on a thread's stack, and a guest that overflows it costs a
// backtrace over all its frames. It must be done before the Go runtime starts
// its first thread, so it is a C constructor.
package threads
