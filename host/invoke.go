package host

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ringfence/ringfence/host/internal/broker"
	"github.com/ringfence/ringfence/host/internal/printable"
	"github.com/ringfence/ringfence/host/internal/supervise"
	"github.com/ringfence/ringfence/host/internal/transport"
	"github.com/ringfence/ringfence/pluginkit"
	"github.com/ringfence/ringfence/pluginkit/wire"
	"github.com/ringfence/ringfence/policies"
)

// maxDepth is how many calls wait for each other at most: a call, the one that its
// tool makes, and so on.
const maxDepth = 5

// maxInvoked is how many calls one call comes to at most, those that the called tools
// make included.
//
// Attack: a tool calls a thousand times a tool that calls a thousand times another one.
//
// Tests lower it.
var maxInvoked int64 = 1000

// invoke makes a call for the tool that this call runs, under the policy of the
// plugin that is called. It ends with this call, and sooner.
func (c *call) invoke(ctx context.Context, target policies.Invoke, arguments []byte, most int64) (broker.Invoked, error) {
	chain := append(slices.Clone(c.chain), c.plugin.policy.Name())
	switch {
	case len(chain) >= maxDepth:
		return broker.Invoked{}, &broker.RefusedError{Code: wire.Code_CODE_LIMIT, Denied: true,
			Message: fmt.Sprintf("%d calls wait for each other already (maximum %d)", len(chain), maxDepth)}
	case slices.Contains(chain, target.Plugin): // policies refuses them; this one would never end
		return broker.Invoked{}, &broker.RefusedError{Code: wire.Code_CODE_DENIED, Denied: true,
			Message: fmt.Sprintf("the plugin behind %q is waiting for this call itself", target.Alias)}
	case c.invoked.Add(1) > maxInvoked:
		return broker.Invoked{}, &broker.RefusedError{Code: wire.Code_CODE_LIMIT, Denied: true,
			Message: fmt.Sprintf("more than %d calls came of one call", maxInvoked)}
	}
	nested := &call{
		name: target.Target(), arguments: arguments, most: uint64(most), want: wantTool,
		caller: Caller{Log: c.caller.Log}, parent: c.id, chain: chain, invoked: c.invoked,
	}
	if len(arguments) == 0 {
		nested.arguments = []byte("{}")
	}
	result, err := c.host.do(ctx, nested)
	if err == nil {
		return broker.Invoked{Call: nested.id, Result: result.JSON}, nil
	}
	return outcome(nested, err)
}

// outcome is what a tool learns of a call that it made and that failed: what the other
// tool itself says to whoever calls it, and else no more than what kind of failure it
// was. The details are in the other call's record.
//
// Attack: a tool calls another one to find out what that one's policy denies, and why:
// hosts, paths and places in the policy, its limits, what a crash prints.
func outcome(nested *call, err error) (broker.Invoked, error) {
	refused := &broker.RefusedError{Code: wire.Code_CODE_INTERNAL, Message: "the host failed"}
	var failed *CallError
	if !errors.As(err, &failed) {
		return broker.Invoked{Call: nested.id}, refused
	}
	text := printable.Line(failed.Detail, pluginkit.MaxFailure)
	switch failed.Kind {
	case ErrToolFailed:
		return broker.Invoked{Call: nested.id, Status: 1, Result: []byte(text)}, nil
	case ErrBadArguments:
		return broker.Invoked{Call: nested.id, Status: 2, Result: []byte(text)}, nil
	case ErrDenied:
		return broker.Invoked{Call: nested.id, Status: 1, Result: []byte(failed.Kind.Error())}, nil
	case ErrAudit:
		return broker.Invoked{Call: nested.id}, refused
	case ErrTimeout, ErrCPUTime:
		refused.Code = wire.Code_CODE_TIMEOUT
	case ErrCanceled, ErrClosed:
		refused.Code = wire.Code_CODE_CANCELED
	case ErrUnknownTool:
		refused.Code = wire.Code_CODE_NOT_FOUND
	default:
		refused.Code = wire.Code_CODE_UNAVAILABLE
	}
	refused.Message = failed.Kind.Error()
	if refused.Code == wire.Code_CODE_TIMEOUT {
		refused.Message = "the called tool took too long"
	}
	var failure *transport.Failure
	switch {
	case errors.Is(err, supervise.ErrStuck):
		refused.Code, refused.Message = wire.Code_CODE_LIMIT, supervise.ErrStuck.Error()
	case errors.As(err, &failure) && failure.Kind == wire.FailureKind_FAILURE_LIMIT:
		refused.Code, refused.Message = wire.Code_CODE_LIMIT, fmt.Sprintf("the result is too large: there is room for %d bytes", nested.most)
	}
	return broker.Invoked{Call: nested.id}, refused
}
