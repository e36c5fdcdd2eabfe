package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/ringfence/ringfence/host"
	"github.com/ringfence/ringfence/host/internal/cases"
	"github.com/ringfence/ringfence/policies"
)

// Exit codes, as the README promises them.
const (
	exitOK          = 0
	exitToolFailed  = 1 // the tool ran and failed, crashed, or answered nonsense
	exitUsage       = 2 // a mistake in the command, the policy, the module or the arguments
	exitDenied      = 3 // denied by policy or guard
	exitSandbox     = 4 // the sandbox died or timed out
	exitInterrupted = 130
	exitNobodyReads = 141 // as the shell says of a command that SIGPIPE ended
)

// codes maps the kinds of errors to exit codes and to the names that --json
// prints. This is the one place that does.
var codes = []struct {
	kind error
	code int
	name string
}{
	{host.ErrUnknownTool, exitUsage, "unknown_tool"},
	{host.ErrBadArguments, exitUsage, "bad_arguments"},
	{host.ErrModule, exitUsage, "unusable_module"},
	{host.ErrToolFailed, exitToolFailed, "tool_failed"},
	{host.ErrCrashed, exitToolFailed, "guest_crashed"},
	{host.ErrMemory, exitToolFailed, "guest_out_of_memory"},
	{host.ErrResult, exitToolFailed, "bad_result"},
	{host.ErrDenied, exitDenied, "denied"},
	{host.ErrTimeout, exitSandbox, "timeout"},
	{host.ErrCPUTime, exitSandbox, "cpu_time"},
	{host.ErrSandbox, exitSandbox, "sandbox"},
	{host.ErrCanceled, exitInterrupted, "canceled"},
	{host.ErrClosed, exitInterrupted, "canceled"},
	{host.ErrAudit, exitUsage, "audit"},
	{errInterrupted, exitInterrupted, "interrupted"},
	{errUnjailed, exitSandbox, "sandbox"},
	{errHosts, exitSandbox, "host"},
	{errCases, exitToolFailed, "cases_failed"},
	{errOutput, exitUsage, "output"},
	{errNobodyReads, exitNobodyReads, "output"},
}

func exitCode(err error) int {
	for _, c := range codes {
		if errors.Is(err, c.kind) {
			return c.code
		}
	}
	return exitUsage
}

func errorName(err error) string {
	for _, c := range codes {
		if errors.Is(err, c.kind) {
			return c.name
		}
	}
	var policy *policies.DiagnosticsError
	if errors.As(err, &policy) {
		return "policy"
	}
	var inCases *cases.Error
	if errors.As(err, &inCases) {
		return "cases"
	}
	return "usage"
}

// errReported is an error that a command's own report has told of already.
type errReported struct{ error }

func (e errReported) Unwrap() error { return e.error }

// failure is how --json prints an error.
type failure struct {
	OK    bool `json:"ok"`
	Error struct {
		Kind     string             `json:"kind"`
		Cause    host.Cause         `json:"cause,omitempty"`
		Message  string             `json:"message"`
		ExitCode int                `json:"exit_code"`
		Problems []policies.Problem `json:"problems,omitempty"`
	} `json:"error"`
	// Tools are those that `tools` could list, Failed the plugins that it could not.
	Tools  []host.Tool    `json:"tools,omitempty"`
	Failed []failedPlugin `json:"failed,omitempty"`
}

type failedPlugin struct {
	Plugin  string `json:"plugin"`
	Kind    string `json:"kind"`
	Message string `json:"message"`
}

// report prints an error: to standard error for people, to standard output as
// JSON for programs.
func (a *app) report(err error) {
	var reported errReported
	if errors.As(err, &reported) {
		return
	}
	if errors.Is(err, errNobodyReads) || errors.Is(err, errUnfit) || errors.Is(err, errUnjailed) || errors.Is(err, errCases) {
		return // whoever closed the pipe knows; inspect, doctor and test have printed why
	}
	var policy *policies.DiagnosticsError
	isPolicy := errors.As(err, &policy)
	var inCases *cases.Error
	isCases := errors.As(err, &inCases)
	if a.json && !errors.Is(err, errOutput) {
		var f failure
		f.Error.Kind, f.Error.Message, f.Error.ExitCode = errorName(err), err.Error(), exitCode(err)
		var failed *host.CallError
		if errors.As(err, &failed) {
			f.Error.Cause = host.CauseOf(failed)
		}
		var some *someToolsError
		if errors.As(err, &some) {
			f.Tools = some.tools
			for _, one := range some.failed {
				f.Failed = append(f.Failed, failedPlugin{one.plugin, errorName(one.err), one.err.Error()})
			}
		}
		if isPolicy {
			f.Error.Problems = policy.Problems()
		} else if isCases {
			f.Error.Problems = inCases.Problems()
		}
		a.printJSON(f)
		return
	}
	if isPolicy {
		policy.Render(a.err, width(a.err), colorful(a.err))
		return
	}
	if isCases {
		inCases.Render(a.err, width(a.err), colorful(a.err))
		return
	}
	for line := range strings.Lines(err.Error()) { // joined errors have one each
		fmt.Fprintf(a.err, "ringfence: %s\n", strings.TrimSuffix(line, "\n"))
	}
}

func (a *app) printJSON(v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := a.out.Write(a.shown(b.Bytes()))
	return err
}
