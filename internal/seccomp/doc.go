// Package seccomp is the system-call filter of sandbox processes: what a process
// may still ask of the kernel when its WASM engine has been broken and the
// attacker runs native code in it.
//
// A profile is a table of rules, one a system call: which arguments are allowed,
// what happens to the rest, and why the call is in the table at all. Everything
// that is not in the table kills the process. There is a profile for the sandbox
// that runs WebAssembly (WASM) and one for other people's native plugins
// (Native); a native plugin can have a narrow form of the former instead, without
// files. Each has two stages:
//
//	stage one   an allowlist, before the handshake line is printed: from here
//	            on bytes of strangers arrive, and modules are compiled
//	stage two   stacked on it, before the first instruction of a guest: no new
//	            executable memory, no new descriptors, no more peers, no filters
//
// The kernel asks all filters of a process and takes the strictest answer, so
// stage two is written as the difference, and nothing takes a filter back.
//
// The data flow: Profile.Rules → Table → Table.Assemble → Filter, which can be
// run in here, without installing it, on any architecture (Filter.Run), or
// installed for all threads of the process (Filter.Install), or installed so
// that whatever would kill is put to another process first (Filter.InstallListener
// and Listener), which learns the number and arguments.
//
// What the tables rely on:
//
//   - A filter sees registers. What a pointer points to can be changed by
//     another thread after the filter has looked, so no rule depends on it, and
//     a call whose flags are behind a pointer (clone3, openat2) is refused.
//   - The kernel reads some arguments as 32 bits and some as 64. A rule says
//     which (Int, Long): comparing too few bits of a long lets flags through.
//   - Refusals come in two kinds. A call that only an attack makes kills. A call
//     that libc, Go or the engine make by themselves and can do without
//     (probing for a file) gets the errno that says no.
//
// How the tables came about, and how to do it again, is in README.md; the
// command observe does the looking.
//
// Installing needs Linux on amd64 or arm64. Elsewhere everything compiles and
// simulates, and Install says ErrUnsupported.
package seccomp
