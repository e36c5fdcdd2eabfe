// Package threads sees to the stacks that guests run on, by being linked in.
//
// A guest runs on a thread's stack, and a guest that overflows it costs a
// backtrace over all its frames. So every thread gets a small stack (a C
// constructor, since it must be done before the Go runtime starts its first
// thread), and no guest runs on the main thread, whose stack is as large as the
// shell allows.
package threads

import "runtime"

// The main goroutine starts on the main thread. Locked here, that thread never
// runs another goroutine.
func init() { runtime.LockOSThread() }
