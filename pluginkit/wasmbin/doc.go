// Package wasmbin reads and rewrites WebAssembly binaries without running them.
//
// The host uses it to look at a module before anything is compiled, to say in
// one line why a file cannot be a plugin, and to write the policy's memory limit
// into the module, since no engine that we use can be trusted to hold a limit
// that the module does not state itself:
//
//	m, err := wasmbin.Parse(file)        // *FormatError: not a core module
//	err = m.CheckGuest()                 // *GuestError: not one of our guests
//	bounded, err := m.Limit(2048, 1e6)   // *LimitError: needs more than it may have
//
// Nothing here validates code: that is the engine's task, in its jail. Everything
// that is read here is read once, front to back, in time linear in the input;
// memory is taken as entries arrive, never on a declared count, and each kind of
// entry has a fixed maximum. No input makes it panic.
//
// Provided lists every function that a guest can import. The host checks modules
// against it and the sandbox tests its own tables against it, so the two agree.
package wasmbin
