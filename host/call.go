package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/ringfence/ringfence/host/internal/audit"
	"github.com/ringfence/ringfence/host/internal/broker"
	"github.com/ringfence/ringfence/host/internal/content"
	"github.com/ringfence/ringfence/host/internal/manifest"
	"github.com/ringfence/ringfence/host/internal/printable"
	"github.com/ringfence/ringfence/host/internal/sandbox"
	"github.com/ringfence/ringfence/host/internal/transport"
	"github.com/ringfence/ringfence/pluginkit"
	"github.com/ringfence/ringfence/pluginkit/wire"
)

// maxResult bounds a result, whatever the guest's memory, in bytes.
const maxResult = 256 << 20

var errCallTimeout = errors.New("timed out")

// Result is what a tool answered.
type Result struct {
	// Tool is the full name, "plugin.tool".
	Tool string
	// JSON is the answer: valid JSON that fits the tool's output schema, and
	// still the word of somebody nobody trusts. Where an object names a member
	// twice, the last one was checked.
	JSON json.RawMessage
	// Content says that JSON holds content blocks: {"content": […],
	// "structured": …}, as docs/guest-abi.md describes them.
	Content bool
	// Call is the call's name in the audit log.
	Call string
	// Transport is how the call travelled: "ring", or "grpc".
	Transport string
	// Duration is the time in the sandbox. Ready is what came before: compiling
	// and starting where that was needed, and waiting for a free sandbox.
	Duration, Ready time.Duration
}

// Call runs a tool: "plugin.tool", or "plugin" when it has only one. arguments
// is a JSON object; nothing means {}.
func (h *Host) Call(ctx context.Context, name string, arguments []byte) (*Result, error) {
	return h.Do(ctx, Request{Tool: name, Arguments: arguments})
}

// Request is one call, and what its caller does for the tool meanwhile.
type Request struct {
	// Tool is "plugin.tool", or "plugin" when it has only one.
	Tool string
	// Arguments is a JSON object; nothing means {}.
	Arguments []byte
	// MaxResult is the largest result in bytes that is taken. 0: 256 MiB. A
	// result is never larger than the memory of the guest.
	MaxResult uint64
	Caller    Caller
}

// Do runs a tool.
func (h *Host) Do(ctx context.Context, r Request) (*Result, error) {
	if len(r.Arguments) == 0 {
		r.Arguments = []byte("{}")
	}
	return h.do(ctx, &call{name: r.Tool, arguments: r.Arguments, most: r.MaxResult, caller: r.Caller, want: wantTool})
}

// do runs a call of any kind.
func (h *Host) do(ctx context.Context, c *call) (*Result, error) {
	c.name = printable.Line(c.name, 160)
	if err := h.enter(); err != nil {
		return nil, &CallError{Kind: ErrClosed, Tool: c.name}
	}
	defer h.active.Done()
	if c.most == 0 {
		c.most = maxResult
	}
	if c.invoked == nil {
		c.invoked = new(atomic.Int64)
	}
	c.host, c.id, c.started = h, fmt.Sprintf("c%d", h.calls.Add(1)), time.Now()
	result, err := c.run(ctx)
	if ctx.Err() != nil && errors.Is(err, ErrToolFailed) {
		// What the guest asked for was cancelled with the call, and it was quicker to
		// say that it failed than the host to end it.
		err = context.Cause(ctx)
	}
	if err != nil {
		err = classify(c.name, err)
	}
	err = c.record(err)
	if c.plugin != nil {
		c.plugin.counters.called(err, c.ran)
	}
	if err != nil {
		return nil, err
	}
	return result, nil
}

// call is one call on its way.
type call struct {
	host      *Host
	name, id  string
	arguments []byte
	most      uint64 // bytes of the result
	caller    Caller
	want      want
	read      func(result []byte) error // takes the result of what is not a tool
	started   time.Time

	// Of a call that a tool makes: the call of that tool, and the plugins from the
	// outermost to that one, whose sandboxes wait for this call.
	parent string
	chain  []string
	// invoked counts the calls that came of the outermost one.
	invoked *atomic.Int64

	plugin  *plugin
	tool    *manifest.Tool
	index   int
	session *broker.Session
	ran     time.Duration
}

// want finds what is called among what a plugin offers: its number, and what to
// check about it. The name is the call's, for people.
type want func(c *call, tools []manifest.Tool, extras manifest.Extras) (index int, tool *manifest.Tool, name string, err error)

// wantTool finds the tool that the call names.
func wantTool(c *call, tools []manifest.Tool, _ manifest.Extras) (int, *manifest.Tool, string, error) {
	plugin := c.plugin.policy.Name()
	_, tool, _ := strings.Cut(c.name, ".")
	index, err := find(plugin, tool, tools)
	if err != nil {
		return 0, nil, c.name, err
	}
	return index, &tools[index], plugin + "." + tools[index].Name, nil
}

func (c *call) run(ctx context.Context) (*Result, error) {
	// What the host itself stops, it stops by its own context.
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(c.host.ctx, func() { cancel(ErrClosed) })()

	if err := c.resolve(); err != nil {
		return nil, err
	}
	// Arguments that are wrong should not cost the start of a sandbox.
	if tools := c.plugin.known(); tools != nil {
		if err := c.choose(tools, c.plugin.offered()); err != nil {
			return nil, err
		}
	}
	result, err := c.attempt(ctx)
	if errors.Is(err, transport.ErrWorn) {
		// Once, by the sandbox's own word: it could say so for ever.
		result, err = c.attempt(ctx)
	}
	return result, err
}

// attempt runs the call in the next sandbox that is free.
func (c *call) attempt(ctx context.Context) (*Result, error) {
	limits := c.plugin.policy.Limits()
	lease, err := c.host.pool.Acquire(ctx, c.plugin.policy.Name(), limits.Processes, len(c.chain), c.plugin.start)
	if err != nil {
		return nil, err
	}
	result, reusable, err := c.serve(ctx, lease.Sandbox)
	lease.Release(reusable && !c.plugin.spent())
	return result, err
}

// resolve finds the plugin.
func (c *call) resolve() (err error) {
	name, _, _ := strings.Cut(c.name, ".")
	c.plugin, err = c.host.plugin(name, c.name)
	return err
}

// choose finds what is called among what the plugin offers, and checks the
// arguments against it.
func (c *call) choose(tools []manifest.Tool, extras manifest.Extras) error {
	index, tool, name, err := c.want(c, tools, extras)
	if err != nil {
		return &CallError{Kind: ErrUnknownTool, Tool: c.name, Detail: err.Error()}
	}
	c.index, c.tool, c.name = index, tool, name
	if n := len(c.arguments); n > pluginkit.MaxArguments {
		return &CallError{Kind: ErrBadArguments, Tool: c.name, Detail: fmt.Sprintf("%d bytes (maximum %d)", n, pluginkit.MaxArguments)}
	}
	if err := c.tool.CheckArguments(c.arguments); err != nil {
		return &CallError{Kind: ErrBadArguments, Tool: c.name, Detail: err.Error(), Err: err}
	}
	return nil
}

// serve runs the call in a sandbox, and says whether the sandbox may serve
// another one.
func (c *call) serve(ctx context.Context, s *sandbox.Sandbox) (_ *Result, reusable bool, _ error) {
	if c.tool == nil { // else chosen already; all instances describe the same
		if err := c.choose(s.Tools, s.Extras); err != nil {
			return nil, true, err
		}
	}
	if err := c.host.record(c.name, audit.Entry{
		Plugin: c.plugin.policy.Name(), Call: c.id, Kind: "call", Decision: audit.Allow,
		Details: audit.Details{Tool: c.tool.Name, Sent: int64(len(c.arguments)), Parent: c.parent},
	}); err != nil {
		return nil, true, err
	}
	limits := c.plugin.policy.Limits()
	ctx, cancel := context.WithTimeoutCause(ctx, limits.CallTimeout, fmt.Errorf("%w: call_timeout = %s", errCallTimeout, limits.CallTimeout))
	defer cancel()
	caller := c.caller.broker()
	caller.Invoke = c.invoke
	c.session = c.plugin.broker.CallFor(ctx, c.id, caller)
	defer c.session.Close()

	side := &guestSide{call: c}
	defer side.over.Store(true)
	began := time.Now()
	answer, err := s.Call(ctx, transport.Call{
		Tool: uint32(c.index), Arguments: c.arguments, MaxResult: min(limits.Memory, maxResult, c.most),
	}, limits.CPUTime, side)
	c.ran = time.Since(began)
	if err != nil {
		return nil, survives(err), err
	}
	result, err := c.judge(answer)
	if err != nil {
		return nil, true, err
	}
	result.Transport, result.Duration, result.Ready = s.TransportName(), c.ran, began.Sub(c.started)
	return result, true, nil
}

// survives says which failures leave a sandbox fit for another call. A trap ends
// the instance only. A guest that overflowed its stack or its memory has left
// the process with less than it had.
func survives(err error) bool {
	var failure *transport.Failure
	if errors.As(err, &failure) {
		switch failure.Kind {
		case wire.FailureKind_FAILURE_TRAP, wire.FailureKind_FAILURE_EXIT:
			return true
		}
		return false
	}
	// The caller gave up, or the call's time did: Idle will tell.
	return errors.Is(err, context.Canceled) || errors.Is(err, errCallTimeout) || errors.Is(err, context.DeadlineExceeded)
}

// judge decides what a guest's answer is worth.
func (c *call) judge(answer transport.Result) (*Result, error) {
	if answer.Status == transport.StatusOK {
		if err := c.accept(answer.Data); err != nil {
			return nil, &CallError{Kind: ErrResult, Tool: c.name, Detail: err.Error(), Err: err}
		}
		return &Result{Tool: c.name, JSON: answer.Data, Content: c.tool.Content, Call: c.id}, nil
	}
	text := printable.Line(string(answer.Data[:min(len(answer.Data), 4*pluginkit.MaxFailure)]), pluginkit.MaxFailure)
	kind := ErrToolFailed
	if answer.Status == transport.StatusBadArguments {
		kind = ErrBadArguments
	}
	if denials := c.session.Denials(); kind == ErrToolFailed && len(denials) > 0 {
		kind = ErrDenied
		reason := denials[len(denials)-1].Reason
		if !strings.Contains(text, reason) { // the tool tells it in its own words
			reason = fmt.Sprintf("%s (the tool says: %s)", reason, text)
		}
		text = reason
	}
	return nil, &CallError{Kind: kind, Tool: c.name, Detail: text}
}

// accept checks what a tool says is its result.
func (c *call) accept(data []byte) error {
	if c.read != nil {
		if err := manifest.Valid(data); err != nil {
			return err
		}
		return c.read(data)
	}
	if !c.tool.Content {
		return c.tool.CheckResult(data)
	}
	if err := manifest.Valid(data); err != nil {
		return err
	}
	answer, err := content.ParseAnswer(data)
	if err != nil || answer.Structured == nil && c.tool.OutputSchema == nil {
		return err
	}
	if answer.Structured == nil {
		return errors.New("the tool has an output schema and answers without a structured part")
	}
	return c.tool.CheckResult(answer.Structured)
}

// record puts the call's end on record. A result that cannot be recorded is not
// handed out.
func (c *call) record(err error) error {
	entry := audit.Entry{Call: c.id, Kind: "result", Decision: audit.Allow, Details: audit.Details{Tool: c.name, Duration: c.ran, Parent: c.parent}}
	if c.plugin != nil {
		entry.Plugin = c.plugin.policy.Name()
	}
	var ce *CallError
	if errors.As(err, &ce) {
		entry.Decision, entry.Reason, entry.Details.Cause = audit.Failed, ce.Error(), string(CauseOf(err))
		if ce.Kind == ErrDenied || ce.Kind == ErrUnknownTool {
			entry.Decision = audit.Deny
		}
	}
	if failed := c.host.record(c.name, entry); failed != nil && err == nil {
		return failed
	}
	return err
}
