// Package pluginkit is what both sides of the wall share: the handshake and the
// wire protocol of a sandbox process, and the limits that both sides check.
//
// The subpackages are what plugin authors import:
//
//   - pluginkit/guest is the SDK for tools that run as WebAssembly;
//   - pluginkit/wire is the protocol between the host and a sandbox process;
//   - pluginkit/wasmbin reads and rewrites WebAssembly modules without running them.
//
// Nothing here knows the host, and nothing here starts a process.
package pluginkit
