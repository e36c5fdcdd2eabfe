package guest

import (
	"context"

	"github.com/ringfence/ringfence/pluginkit/wire"
)

// Capabilities is what a guest may ask of the host during one call. The methods
// are called one at a time, and return when the context ends.
type Capabilities interface {
	HTTP(ctx context.Context, request Request) (Response, *Refusal)
	// Read gives up to length bytes of a body to into, none at its end, and
	// returns how many.
	Read(ctx context.Context, handle, offset uint64, length uint32, into Sink) (uint64, *Refusal)
	Close(ctx context.Context, handle uint64) *Refusal
	SecretExists(ctx context.Context, name string) (bool, *Refusal)
	// Progress says how far the call is; a total of 0 is not known.
	Progress(ctx context.Context, done, total float64, message string) *Refusal
	// Ask asks whoever called. The answer is a body, as that of a response.
	Ask(ctx context.Context, kind uint32, request []byte) (Response, *Refusal)
	// ResourceUpdated says that a resource of the plugin has changed.
	ResourceUpdated(ctx context.Context, uri string) *Refusal
	// Files, State and Invoke carry out what the host judges.
	Files(ctx context.Context, request *wire.Files) (Response, *Refusal)
	State(ctx context.Context, request *wire.State) (Response, *Refusal)
	Invoke(ctx context.Context, request *wire.Invoke) (Response, *Refusal)
	Log(level int, line string)
}

// Sink takes bytes in order, at a place within what was asked for, and reports
// whether there was room. It may be called by another goroutine than the one that
// waits meanwhile, and keeps nothing.
type Sink func(at uint64, b []byte) bool

// Request is an HTTP request as the guest wrote it; the host judges it.
type Request struct {
	Method, URL string
	Headers     [][2]string
	Body        []byte
}

// Response is the head of an answer. Handle is the host's, or 0 when the body is
// Data, or there is none.
type Response struct {
	Handle    uint64
	Status    uint32
	Headers   [][2]string
	BodyBytes uint64
	Unsized   bool // the body's length is not known yet

	Head []byte // instead of the four above, when it is not to an HTTP request
	Data []byte
}

// Code is why a request was not carried out; the guest sees its negative.
type Code int32

// The codes of docs/guest-abi.md.
const (
	Denied      Code = 1
	Invalid     Code = 2
	NotFound    Code = 3
	Limit       Code = 4
	Timeout     Code = 5
	Canceled    Code = 6
	Unavailable Code = 7
	Internal    Code = 8
	Exists      Code = 9
	Changed     Code = 10
)

// Refusal is an answer that is not a result.
type Refusal struct {
	Code    Code
	Message string
}

// result is what the guest's import returns.
func (r *Refusal) result() int64 { return -int64(r.Code) }

// outside are the capabilities outside of a call, that is during _initialize
// and ringfence_describe: none.
type outside struct{}

var notNow = &Refusal{Denied, "only a running call can ask the host for something"}

func (outside) HTTP(context.Context, Request) (Response, *Refusal) { return Response{}, notNow }
func (outside) Read(context.Context, uint64, uint64, uint32, Sink) (uint64, *Refusal) {
	return 0, notNow
}
func (outside) Close(context.Context, uint64) *Refusal                { return notNow }
func (outside) SecretExists(context.Context, string) (bool, *Refusal) { return false, notNow }
func (outside) Progress(context.Context, float64, float64, string) *Refusal {
	return notNow
}
func (outside) Ask(context.Context, uint32, []byte) (Response, *Refusal) {
	return Response{}, notNow
}
func (outside) Files(context.Context, *wire.Files) (Response, *Refusal) {
	return Response{}, notNow
}
func (outside) State(context.Context, *wire.State) (Response, *Refusal) {
	return Response{}, notNow
}
func (outside) Invoke(context.Context, *wire.Invoke) (Response, *Refusal) {
	return Response{}, notNow
}
func (outside) ResourceUpdated(context.Context, string) *Refusal { return notNow }
func (outside) Log(int, string)                                  {}
