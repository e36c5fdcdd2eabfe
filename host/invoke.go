package host

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/ringfence/ringfence/host/internal/broker"
	"github.com/ringfence/ringfence/host/internal/printable"
	"github.com/ringfence/ringfence/host/internal/supervise"
	"github.com/ringfence/ringfence/pluginkit"
	"github.com/ringfence/ringfence/pluginkit/wire"
	"github.com/ringfence/ringfence/policies"
)

// maxDepth is how many calls wait for each other at most: a call, the one that its
// tool makes, and so on.
const maxDepth = 5

// invoke makes a call for the tool that this call runs, under the policy of the
// plugin that is called. It ends with this call, and sooner.
func (c *call) invoke(ctx context.Context, target policies.Invoke, arguments []byte) (broker.Invoked, error) {
	chain := append(slices.Clone(c.chain), c.plugin.policy.Name())
	switch {
	case len(chain) >= maxDepth:
		return broker.Invoked{}, &broker.RefusedError{Code: wire.Code_CODE_LIMIT, Denied: true,
			Message: fmt.Sprintf("%d calls wait for each other already (maximum %d)", len(chain), maxDepth)}
	case slices.Contains(chain, target.Plugin): // policies refuses them; this one would never end
		return broker.Invoked{}, &broker.RefusedError{Code: wire.Code_CODE_DENIED, Denied: true,
			Message: fmt.Sprintf("%s is waiting for this call itself", target.Plugin)}
	}
	nested := &call{
		name: target.Target(), arguments: arguments, most: broker.MaxInvoked, want: wantTool,
		caller: Caller{Log: c.caller.Log}, parent: c.id, chain: chain,
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

// outcome is what a tool learns of a call that it made and that failed.
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
	case ErrDenied:
		return broker.Invoked{Call: nested.id, Status: 1, Result: []byte(ErrDenied.Error() + ": " + text)}, nil
	case ErrBadArguments:
		return broker.Invoked{Call: nested.id, Status: 2, Result: []byte(text)}, nil
	case ErrTimeout, ErrCPUTime:
		refused.Code = wire.Code_CODE_TIMEOUT
	case ErrCanceled, ErrClosed:
		refused.Code = wire.Code_CODE_CANCELED
	case ErrUnknownTool:
		refused.Code = wire.Code_CODE_NOT_FOUND
	case ErrAudit:
		return broker.Invoked{Call: nested.id}, refused
	case ErrCrashed, ErrMemory, ErrResult:
		refused.Code = wire.Code_CODE_UNAVAILABLE
	default:
		// How a sandbox or a module came to grief is for the host's log.
		refused.Code, refused.Message = wire.Code_CODE_UNAVAILABLE, failed.Kind.Error()
		if errors.Is(err, supervise.ErrStuck) {
			refused.Code, refused.Message = wire.Code_CODE_LIMIT, supervise.ErrStuck.Error()
		}
		return broker.Invoked{Call: nested.id}, refused
	}
	refused.Message = failed.Kind.Error()
	if text != "" {
		refused.Message += ": " + text
	}
	return broker.Invoked{Call: nested.id}, refused
}
