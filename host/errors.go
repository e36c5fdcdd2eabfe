package host

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ringfence/ringfence/host/internal/sandbox"
	"github.com/ringfence/ringfence/host/internal/supervise"
	"github.com/ringfence/ringfence/host/internal/transport"
	"github.com/ringfence/ringfence/pluginkit/wire"
)

// What can become of a call. Each error of Call answers errors.Is to exactly one
// of these.
var (
	// ErrUnknownTool: the policy or the plugin has no tool of that name.
	ErrUnknownTool = errors.New("unknown tool")
	// ErrBadArguments: the arguments are not JSON, or break the tool's schema.
	ErrBadArguments = errors.New("bad arguments")
	// ErrModule: the plugin's module is missing, not the pinned one, or unfit.
	ErrModule = errors.New("unusable module")
	// ErrToolFailed: the tool ran and says that it failed.
	ErrToolFailed = errors.New("the tool failed")
	// ErrCrashed: the guest trapped, or ended without an answer.
	ErrCrashed = errors.New("the guest crashed")
	// ErrMemory: the guest met its memory limit and gave up, or its sandbox met
	// the one of the process and was ended by the kernel.
	ErrMemory = errors.New("the guest ran out of memory")
	// ErrResult: the guest's answer breaks the ABI, its schema or a limit.
	ErrResult = errors.New("bad result")
	// ErrDenied: the tool failed after the policy had denied it something.
	ErrDenied = errors.New("denied by policy")
	// ErrTimeout: the call's time is used up.
	ErrTimeout = errors.New("timed out")
	// ErrCPUTime: the call's CPU time is used up.
	ErrCPUTime = errors.New("CPU time used up")
	// ErrSandbox: the sandbox process died, did not start, or broke the protocol.
	ErrSandbox = errors.New("sandbox failure")
	// ErrCanceled: the caller gave up.
	ErrCanceled = errors.New("canceled")
	// ErrClosed: the host is closed.
	ErrClosed = errors.New("the host is closed")
	// ErrAudit: the decision could not be recorded, so nothing was done.
	ErrAudit = errors.New("no audit record")
)

// CallError is the error of a call. CauseOf tells more finely what came of it.
type CallError struct {
	// Kind is one of the sentinels above.
	Kind error
	// Tool is the name that was called.
	Tool string
	// Detail is one printable line. It may hold words of the guest.
	Detail string
	// Err is what is below, when there is more to ask about it.
	Err error
}

func (e *CallError) Error() string {
	if e.Detail == "" {
		return fmt.Sprintf("%s: %s", e.Tool, e.Kind)
	}
	return fmt.Sprintf("%s: %s: %s", e.Tool, e.Kind, e.Detail)
}

// Is reports whether target is the error's kind.
func (e *CallError) Is(target error) bool { return target == e.Kind }

// Unwrap returns the cause.
func (e *CallError) Unwrap() error { return e.Err }

// failures maps what a sandbox says of a failed call.
var failures = map[wire.FailureKind]error{
	wire.FailureKind_FAILURE_TRAP:   ErrCrashed,
	wire.FailureKind_FAILURE_EXIT:   ErrCrashed,
	wire.FailureKind_FAILURE_STACK:  ErrCrashed,
	wire.FailureKind_FAILURE_MEMORY: ErrMemory,
	wire.FailureKind_FAILURE_ABI:    ErrResult,
	wire.FailureKind_FAILURE_MODULE: ErrModule,
	wire.FailureKind_FAILURE_LIMIT:  ErrResult,
}

// classify turns what came up from below into a CallError.
func classify(tool string, err error) *CallError {
	var done *CallError
	if errors.As(err, &done) {
		return done
	}
	kind := ErrSandbox
	var failure *transport.Failure
	switch {
	case errors.As(err, &failure):
		if k, ok := failures[failure.Kind]; ok {
			kind = k
		}
	case errors.Is(err, errCallTimeout), errors.Is(err, context.DeadlineExceeded):
		kind = ErrTimeout
	case errors.Is(err, context.Canceled):
		kind = ErrCanceled
	case errors.Is(err, sandbox.ErrCPUTime):
		kind = ErrCPUTime
	case errors.Is(err, sandbox.ErrCompile): // before what the compiler died of
		kind = ErrModule
	case errors.Is(err, sandbox.ErrMemory):
		kind = ErrMemory
	case errors.Is(err, supervise.ErrClosed), errors.Is(err, ErrClosed):
		kind = ErrClosed
	}
	return &CallError{Kind: kind, Tool: tool, Detail: detail(kind, err), Err: err}
}

// detail drops what the kind says already.
func detail(kind, err error) string {
	text := err.Error() // compared as text: what wraps these may add nothing
	if text == context.Canceled.Error() || text == context.DeadlineExceeded.Error() || kind == ErrClosed {
		return ""
	}
	return strings.TrimPrefix(text, kind.Error()+": ")
}
