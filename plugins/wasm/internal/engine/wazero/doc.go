// Package wazero is the engine wazero, a compiler in pure Go.
//
//	Engine    compiles and loads
//	Module    compiled code in a runtime of its own
//	Instance  one linear memory, which never moves
//
// A guest that runs is not interrupted: the Go runtime cannot stop a goroutine in
// code that it did not make, so its garbage collection waits for the guest's next
// call of the host. What bounds a guest is the host, from outside.
//
// It checks every access to memory in the code that it makes. So a store into a
// page that the guest may not write, which no check foresees, is a fault that
// ends the process, where wasmer has a trap.
package wazero
