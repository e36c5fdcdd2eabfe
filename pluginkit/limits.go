package pluginkit

import "github.com/ringfence/ringfence/pluginkit/wire"

// Limits that both sides of the wire check, each on what the other one sends.
const (
	// MaxMessage is the largest gRPC message either side accepts, in bytes.
	MaxMessage = wire.MaxMessage
	// MaxPiece is the largest piece of arguments, results, bodies and compiled
	// code in one message, in bytes.
	MaxPiece = wire.MaxPiece
	// MaxManifest is the largest guest manifest, in bytes.
	MaxManifest = 1 << 20
	// MaxTools is how many tools one plugin may offer.
	MaxTools = 256
	// MaxDescription is the longest description of a tool, in bytes.
	MaxDescription = 4 << 10
	// MaxLog is where a guest's log line is cut, in bytes.
	MaxLog = wire.MaxLog
	// MaxFailure is where a guest's own last words are cut, in bytes.
	MaxFailure = wire.MaxFailure
	// MaxRequestHead is the largest HTTP request without its body, in bytes.
	MaxRequestHead = 64 << 10
	// MaxProgress is the largest report of progress, in bytes.
	MaxProgress = 4 << 10
	// MaxURI is the longest URI of a plugin's resource, in bytes.
	MaxURI = 1 << 10
	// MaxRequestBody is the largest HTTP request body, in bytes.
	MaxRequestBody = 2 << 20
	// MaxModule is the largest WebAssembly module, in bytes.
	MaxModule = 128 << 20
	// MaxArguments is the largest argument of a call, in bytes.
	MaxArguments = wire.MaxArguments
)
