// Package wasi is WASI preview 1 as far as a guest of Ringfence needs it, and
// no further: docs/guest-abi.md has the list. There is no file, no socket and
// no environment here that could be reached by mistake, because there is no
// code for them: every other function of preview 1 exists and answers EBADF or
// ENOSYS.
//
// Every pointer, length and count comes from the guest. None of them is used
// before it was checked against the memory's size, and nothing is allocated
// from a declared number.
//
// The functions do not know the engine; it takes them as engine.HostFunction.
package wasi
