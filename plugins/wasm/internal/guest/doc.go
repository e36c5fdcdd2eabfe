// Package guest speaks docs/guest-abi.md with a guest: it gives the guest its
// imports, and takes its manifest and its results, believing none of it.
//
//	Plugin    one loaded module: makes instances ahead, recycles them
//	Instance  one instantiation and all that belongs to it
//	Call      one call into an instance
//
// Data goes in through Call.Argument, piece by piece straight into the guest's
// memory, and out through Call.ResultInto, piece by piece out of it. So the
// sandbox's own memory does not grow with the size of either.
//
// What the guest asks for goes out through Capabilities, which the caller of
// this package supplies for each call. This package knows neither the engine
// nor the transport.
package guest
