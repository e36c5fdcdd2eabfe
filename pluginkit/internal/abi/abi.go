// Package abi is the guest's side of docs/guest-abi.md: the calls that a plugin
// can make to its host, and their codes.
//
// Everything the SDK asks of a host goes through the Host in use. In a sandbox
// that is the imports of the WebAssembly module, or for a native plugin what
// pluginkit.Serve puts in place; elsewhere it is a Host that answers "not inside
// a sandbox", until a test puts its own in place with Use.
package abi

// Codes that a host function returns when it fails.
const (
	Denied      = -1
	Malformed   = -2
	NotFound    = -3
	Limit       = -4
	TimedOut    = -5
	Cancelled   = -6
	Unreachable = -7
	Failed      = -8
	Exists      = -9
	Changed     = -10
	// NoHost never crosses the wall: it is what a guest outside a sandbox gets.
	NoHost = -1000
)

// Status of a result record.
const (
	StatusOK     = 0 // the result is JSON
	StatusFailed = 1 // the tool failed, the text says why
	StatusBad    = 2 // the arguments were bad, the text says which
)

// Kinds of questions.
const (
	AskPerson = 1
	AskModel  = 2
)

// Bounds of docs/guest-abi.md that the SDK checks before the host does.
const (
	MaxManifest    = 1 << 20
	MaxTools       = 256
	MaxDescription = 4 << 10
	MaxLog         = 16 << 10
	MaxRead        = 1 << 20
	MaxErrorText   = 4 << 10
	MaxProgress    = 4 << 10
	MaxQuestion    = 64 << 10
	MaxPiece       = 1 << 20
)

// Host is the functions of the import module "ringfence". Negative results are
// codes; lengths and handles are not negative.
type Host interface {
	Log(level int32, line string)
	HTTP(request, body []byte) int64
	Head(handle int64, into []byte) int32
	Read(handle, offset int64, into []byte) int32
	Close(handle int64) int32
	SecretExists(name string) int32
	Progress(report []byte) int32
	Ask(kind int32, request []byte) int64
	Updated(uri string) int32
	Files(request, data []byte) int64
	State(request, value []byte) int64
	Invoke(alias string, arguments []byte) int64
	// Remaining is in milliseconds, or -1.
	Remaining() int64
	Error(into []byte) int32
}

var current = outermost

// Current is the host in use.
func Current() Host { return current }

// Use puts another host in place and returns the one that was in use. It must
// not be called while a tool runs.
func Use(h Host) (previous Host) {
	previous, current = current, h
	return previous
}

// Call is what is known of the call that a tool runs in: a context.Context, or nil
// in WebAssembly. It is not called so here because package context would be a
// fifteenth of a small module.
type Call interface{ Value(key any) any }
