package ringwire

import (
	"fmt"

	"github.com/ringfence/ringfence/pluginkit/wire"
)

// The lanes of a channel.
const (
	Calls        = 0
	Capabilities = 1
	Lanes        = 2
)

// Kind is what a message is. It travels in the descriptor.
type Kind = uint8

// What the host sends.
const (
	KindCall   Kind = 0x01 // calls: a Start, then the arguments unless they are to be pulled
	KindGrow   Kind = 0x02 // calls: a Grow, between two calls; its memory has come before it
	KindReply  Kind = 0x41 // capabilities: a wire.CapabilityReply
	KindPiece  Kind = 0x42 // capabilities: a Piece, then bytes
	KindCancel Kind = 0x43 // capabilities: no bytes
)

// What the sandbox sends. The end of a call may carry Talked.
const (
	KindResult    Kind = 0x20 // calls: the bytes of a result, which is JSON
	KindToolError Kind = 0x21 // calls: the bytes of a result, which say how the tool failed
	KindBadArgs   Kind = 0x22 // calls: the bytes of a result, which say what is wrong with the arguments
	KindWorn      Kind = 0x29 // calls: no bytes; nothing of the call has run
	KindGrown     Kind = 0x2a // calls: no bytes; the first message in the new memory
	KindWindows   Kind = 0x2b // calls: as KindGrown, and the guest has windows of the new memory
	KindStays     Kind = 0x2c // calls: why the sandbox does not take the new memory, in words
	// KindFailure and the 15 after it: how the call failed, in words. Which one says
	// the wire.FailureKind. It is not in the bytes since those lie where a guest with
	// windows can write before the host reads them: a guest can forge a failure's words
	// but not what kind it was.
	KindFailure Kind = 0x30

	KindRequest Kind = 0x51 // capabilities: a wire.CapabilityRequest
	KindRead    Kind = 0x52 // capabilities: a Read
	KindLog     Kind = 0x53 // capabilities: a level, then the text
	KindDone    Kind = 0x54 // capabilities: no bytes; the last message of a call on this lane

	// Talked is set in the kind of the message that ends a call when the call has
	// sent anything on the capabilities lane. There, a Done comes last, so that
	// the host knows that it has heard all. A call without it costs one message.
	Talked Kind = 0x80
)

// KindName is for error messages.
func KindName(k Kind) string {
	names := map[Kind]string{
		KindCall: "call", KindGrow: "grow", KindReply: "reply", KindPiece: "piece", KindCancel: "cancel",
		KindResult: "result", KindToolError: "tool error", KindBadArgs: "bad arguments",
		KindWorn: "worn", KindGrown: "grown", KindWindows: "grown with windows", KindStays: "stays",
		KindRequest: "request", KindRead: "read", KindLog: "log", KindDone: "done",
	}
	if name := names[k&^Talked]; name != "" {
		return name
	}
	if _, ok := FailureOf(k &^ Talked); ok {
		return "failure"
	}
	return fmt.Sprintf("%#02x", k)
}

// ResultKind is the kind of a result with a status of docs/guest-abi.md.
func ResultKind(status uint32) Kind { return KindResult + Kind(min(status, 2)) }

// ResultStatus is the status that a kind of result stands for; ok is false for
// all other kinds. Talked must have been taken off.
func ResultStatus(k Kind) (status uint32, ok bool) {
	if k < KindResult || k > KindBadArgs {
		return 0, false
	}
	return uint32(k - KindResult), true
}

// failures is how many kinds stand for failures.
const failures = 16

// FailureKind is the kind of the message for a failure. There is room for 16: a higher
// one travels as the last.
func FailureKind(f wire.FailureKind) Kind { return KindFailure + Kind(min(uint32(f), failures-1)) }

// FailureOf is the failure that a kind stands for; ok is false for all other kinds.
// Talked must have been taken off.
func FailureOf(k Kind) (f wire.FailureKind, ok bool) {
	if k < KindFailure || k >= KindFailure+failures {
		return 0, false
	}
	return wire.FailureKind(k - KindFailure), true
}
