package host

import (
	"errors"

	"github.com/ringfence/ringfence/host/internal/sandbox"
	"github.com/ringfence/ringfence/host/internal/transport"
)

// Cause says why a call failed, or what a sandbox died of, more finely than the
// kind of an error does. The texts are stable: they stand in the audit log, in
// what --json prints, and as the keys of counters.
type Cause string

// The causes. Each failed call has exactly one.
const (
	CauseUnknownTool  Cause = "unknown_tool"
	CauseBadArguments Cause = "bad_arguments"
	CauseModule       Cause = "unusable_module"
	CauseToolFailed   Cause = "tool_failed"
	CauseDenied       Cause = "denied"
	CauseBadResult    Cause = "bad_result"
	CauseCanceled     Cause = "canceled" // by the caller, or the host was closed
	CauseAudit        Cause = "audit"    // no record could be made

	CauseGuestCrashed Cause = "guest_crashed"       // it trapped, or exited: the engine's word
	CauseGuestMemory  Cause = "guest_out_of_memory" // it met the maximum of its memory
	CauseTimeout      Cause = "timeout"             // call_timeout, or the caller's deadline
	CauseCPUTime      Cause = "cpu_time"            // cpu_time, in a call
	CauseIdleCPU      Cause = "idle_cpu_time"       // cpu_time, while no call ran

	CauseSandboxMemory  Cause = "sandbox_out_of_memory" // the kernel ended the process for want of memory
	CauseSyscall        Cause = "system_call"           // the process made a call that its filter does not allow
	CauseSandboxCrashed Cause = "sandbox_crashed"       // the process ended by itself: SIGSEGV, an exit
	CauseSandboxKilled  Cause = "sandbox_killed"        // somebody else than the host killed the process
	CauseProtocol       Cause = "protocol"              // the process said what no sandbox says
	CauseStart          Cause = "sandbox_not_started"
	CauseSandbox        Cause = "sandbox" // anything else about the process
)

// deaths are what sandboxes end of, told apart by the package that sees it. The
// finest come first: each of these but the last two is an ErrDied.
var deaths = []struct {
	err   error
	cause Cause
}{
	{sandbox.ErrMemory, CauseSandboxMemory},
	{sandbox.ErrSyscall, CauseSyscall},
	{sandbox.ErrKilled, CauseSandboxKilled},
	{sandbox.ErrIdleCPU, CauseIdleCPU},
	{sandbox.ErrDied, CauseSandboxCrashed},
	{transport.ErrProtocol, CauseProtocol},
	{sandbox.ErrStart, CauseStart},
}

// kindCauses are the causes of errors that have no finer one.
var kindCauses = []struct {
	kind  error
	cause Cause
}{
	{ErrUnknownTool, CauseUnknownTool}, {ErrBadArguments, CauseBadArguments}, {ErrModule, CauseModule},
	{ErrToolFailed, CauseToolFailed}, {ErrCrashed, CauseGuestCrashed}, {ErrMemory, CauseGuestMemory},
	{ErrResult, CauseBadResult}, {ErrDenied, CauseDenied}, {ErrTimeout, CauseTimeout}, {ErrCPUTime, CauseCPUTime},
	{ErrCanceled, CauseCanceled}, {ErrClosed, CauseCanceled}, {ErrAudit, CauseAudit},
}

// CauseOf says why a call failed, given the error of Call; "" for none.
func CauseOf(err error) Cause {
	if err == nil {
		return ""
	}
	// A deadline or a policy decides before the sandbox that was ended for it.
	if errors.Is(err, ErrSandbox) || errors.Is(err, ErrMemory) || errors.Is(err, ErrModule) {
		for _, d := range deaths {
			if errors.Is(err, d.err) {
				return d.cause
			}
		}
	}
	for _, k := range kindCauses {
		if errors.Is(err, k.kind) {
			return k.cause
		}
	}
	return CauseSandbox
}

// deathCause is CauseOf for the end of a sandbox.
func deathCause(err error) Cause {
	for _, d := range deaths {
		if errors.Is(err, d.err) {
			return d.cause
		}
	}
	return CauseSandbox
}
