// Package transport carries calls between the host and one sandbox process.
//
// Transport is the seam: the portable one (package grpccall) sends every byte
// through go-plugin's gRPC connection; the fast one (package ringcall) through
// memory that both processes share. What comes back is the guest's word, whatever
// the transport: an implementation bounds and checks it before it hands it up.
package transport

import (
	"context"
	"errors"
	"fmt"

	"github.com/ringfence/ringfence/pluginkit/wire"
	"github.com/ringfence/ringfence/shmchan"
)

// Transport runs calls in one sandbox, one at a time.
type Transport interface {
	// Name is what status shows: "grpc", "ring".
	Name() string
	// Stats is what the transport has counted. It may be asked at any time.
	Stats() Stats
	// Call runs one call to its end. It returns when the context ends, at the
	// latest; the sandbox may then still be busy, and Idle tells.
	//
	// Errors: *Failure when the guest or the sandbox says how the call failed;
	// ErrProtocol when the sandbox broke the protocol; ErrWorn when it wants to
	// be replaced; ErrLost when it went away; the context's cause.
	Call(ctx context.Context, call Call, caps Capabilities) (Result, error)
	// Idle waits until a call that was abandoned has ended in the sandbox, and
	// reports whether it did before the context ended. A sandbox that is not
	// idle must not be used again.
	Idle(ctx context.Context) bool
}

// Stats is what a transport has counted, by the host's own count.
type Stats struct {
	// Calls is how many calls have begun.
	Calls uint64
	// Refused is how many reads the host refused because of their handle, offset
	// or length. A working tool causes none; any other can.
	Refused uint64
	// Ring is the channel, for the transport that has one, and Growth what has
	// become of it when it was full.
	Ring   *shmchan.Stats
	Growth GrowthStats
}

// GrowthStats counts what has happened to a channel because its rings were full.
type GrowthStats struct {
	Full   uint64 // times that a ring reached 90 percent
	Grown  uint64 // times that the channel moved to larger memory
	Alerts uint64 // times that a ring stayed full and could not
}

// Call is one call of a tool.
type Call struct {
	// Tool is the index into the plugin's manifest.
	Tool uint32
	// Arguments is JSON, already checked against the tool's schema.
	Arguments []byte
	// MaxResult is the largest result that is accepted, in bytes.
	MaxResult uint64
}

// Result is what a guest answered.
type Result struct {
	Status Status
	// Data is the host's private copy. For StatusOK it should be JSON, for the
	// others text; that is not checked here.
	Data []byte
}

// Status is how a guest says a call went.
type Status uint32

// The statuses of docs/guest-abi.md.
const (
	StatusOK           Status = 0
	StatusToolFailed   Status = 1
	StatusBadArguments Status = 2
)

// Capabilities is what a guest may ask of the host during one call. Its methods
// are called from one goroutine at a time, with whatever a hostile sandbox sent.
type Capabilities interface {
	Handle(ctx context.Context, request *wire.CapabilityRequest) *wire.CapabilityReply
	Log(level int32, message string)
}

// ErrProtocol means that a sandbox sent what no working sandbox sends. A guest
// cannot cause it without having broken its engine.
var ErrProtocol = errors.New("the sandbox broke the protocol")

// ErrLost means that the connection to the sandbox ended.
var ErrLost = errors.New("the sandbox went away")

// ErrWorn means that the sandbox has to be replaced, and that it has asked for
// nothing yet in this call, so that the call may begin again in another one.
var ErrWorn = errors.New("the sandbox is worn out")

// Failure is the end of a call that brought no result, in the sandbox's words.
type Failure struct {
	Kind wire.FailureKind
	// Message is bounded and printable.
	Message string
}

func (f *Failure) Error() string {
	if f.Message == "" {
		return f.Kind.String()
	}
	return f.Message
}

// Violation makes an ErrProtocol with what came and what was allowed.
func Violation(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrProtocol, fmt.Sprintf(format, args...))
}
