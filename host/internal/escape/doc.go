// Package escape holds the tests that try to get out of a sandbox. They start
// the real sandbox program, in the real jail, with an engine that has been taken
// over (bin/escape/ringfence-plugin-wasm), and have it make the attacks of
// package attack where hostile code would run: in stage one, from the compiler,
// and in stage two, from the guest.
//
// Each attack is made four times: in both stages, in the jail without the
// system-call filter, and with neither jail nor filter. The first two must be
// refused for the stated reason. The last two show that the attack would work, or
// at least come to the kernel, if it were not for the layer that stops it.
//
// Programs that attack in place of the sandbox program are in package jail's
// tests.
package escape
