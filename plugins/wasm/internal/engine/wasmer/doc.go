// Package wasmer is the engine over Wasmer 2.0 with Cranelift, through
// wasmer-go 1.0.4.
//
// That binding has four traps, and this package is the only place that knows
// them:
//
//   - A host function that returns an error frees its trap twice, and the
//     process aborts at a later garbage collection. No host function here
//     returns one, and the guest still has to be stopped by some of them.
//   - It leaks the parameters and results of every host call in C memory, about
//     110 bytes, which a hostile guest can turn into gigabytes.
//   - Its wrappers free their C objects in finalizers as soon as Go no longer
//     sees them, and an exported function does not keep its instance alive.
//   - It aborts on a module whose exports or imports mention types that the C
//     API does not have (v128 among them).
//
// The first two are answered by the gate (gate.go): a small module, assembled
// at load time, between the guest and the one host function of the process.
// The third by structs that hold everything that a callable function needs. The
// fourth by a look at the module before it is compiled (border.go).
//
// The data flow: Engine.Compile → artifact → Engine.Load → Module.Instantiate →
// Instance.Call → gate → HostFunction.Call.
package wasmer
