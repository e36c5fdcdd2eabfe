// Package pluginkit is what both sides of the wall share: the handshake and the
// wire protocol of a sandbox process, and the limits that both sides check. And it
// serves native plugins: a program registers its tools with package guest, and its
// main calls Serve.
//
// The subpackages are what plugin authors import:
//
//   - pluginkit/guest is the SDK for tools, as WebAssembly or in a native plugin;
//   - pluginkit/wire is the protocol between the host and a sandbox process;
//   - pluginkit/wasmbin reads and rewrites WebAssembly modules without running them.
//
// Nothing here knows the host, and nothing here starts a process.
package pluginkit
