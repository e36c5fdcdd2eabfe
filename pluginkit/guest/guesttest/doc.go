// Package guesttest runs the tools of a guest under go test, without
// WebAssembly and without a sandbox.
//
// A Host stands in for the real one: it answers Fetch from an http.Handler,
// knows which secrets exist, refuses what the test tells it to refuse, and keeps
// what the guest logged. Call runs a registered tool from JSON to JSON, through
// the same decoder and encoder as in a sandbox.
//
// One Host is in use at a time, as one instance serves one call at a time: tests
// that use it must not be parallel.
package guesttest
