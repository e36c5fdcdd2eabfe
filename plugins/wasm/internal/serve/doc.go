// Package serve is the sandbox process's side of pluginkit/wire: it answers the
// host's gRPC calls with what package guest and an engine can do.
//
// One process has one role, decided by the first of Compile and Load that it is
// asked for, and serves one call at a time. What it needs from the host comes
// through the inherited descriptor pluginkit.ModuleFD; it opens nothing.
//
// A guest in an endless loop cannot be stopped from in here: the host ends the
// process. Everything else ends with the call's context: sleeping, waiting for
// the host, and whatever the guest asks for afterwards.
//
// After go-plugin's Serve has begun, os.Stdout and os.Stderr are pipes that
// nobody reads. Nothing here writes to them; the log goes to the descriptor 2
// that the process was started with.
package serve
