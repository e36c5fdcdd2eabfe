package broker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ringfence/ringfence/host/internal/audit"
	"github.com/ringfence/ringfence/host/internal/printable"
	"github.com/ringfence/ringfence/pluginkit"
	"github.com/ringfence/ringfence/pluginkit/wire"
	"github.com/ringfence/ringfence/policies"
)

// MaxInvoked is the largest result of an invoked tool, in bytes.
const MaxInvoked = 64 << 20

// Invoked is what an invoked tool answered.
type Invoked struct {
	Call   string // the name of the call in the audit log
	Status uint32 // as of a result: 0 JSON, 1 the tool failed, 2 bad arguments
	Result []byte
}

// RefusedError is why an invoked tool did not answer. Its message is for the guest.
type RefusedError struct {
	Code    wire.Code
	Message string
	Denied  bool // by a rule, before anything was done
}

func (e *RefusedError) Error() string { return e.Message }

// invoke takes a call of another plugin's tool through its chain:
//
//	grant → form → handle → room → (leak scan) → record → call → (leak scan) → guest
//
// Room is taken for the result before there is one: it exists as a whole before its
// size is known.
//
// The call has a chain of its own, that of the host: schema, policy and record of the
// plugin that is called.
func (s *Session) invoke(ctx context.Context, req *wire.Invoke) *wire.CapabilityReply {
	e := audit.Entry{Kind: "invoke", Reason: "alias " + printable.Line(req.GetAlias(), 80), Details: audit.Details{Sent: int64(len(req.GetArguments()))}}
	target, refused := s.invokable(req, &e)
	if refused == nil {
		refused = s.reserve()
	}
	if refused != nil {
		return s.refuse(e, refused)
	}
	defer s.unreserve()
	body, kept := newSpool(s.b.quota, s.b.cfg.RunDir), false
	defer func() {
		if !kept {
			body.Close()
		}
	}()
	room := body.reserve(MaxInvoked)
	if room == 0 {
		return s.refuse(e, limited("there is no room for a result: the open bodies of this plugin take all of %d bytes: close some", s.b.limits.Disk))
	}
	e.Decision = audit.Allow
	if err := s.record(e); err != nil {
		return answer(wire.Code_CODE_INTERNAL, unrecorded)
	}
	began := time.Now()
	got, err := s.caller.Invoke(ctx, target, req.GetArguments(), room)
	e.Kind, e.Details.Duration, e.Details.Received = "invoke_result", time.Since(began), int64(len(got.Result))
	if got.Call != "" {
		e.Reason = "call " + got.Call
	}
	var why *RefusedError
	if errors.As(err, &why) {
		r := failed(why.Code, why.Message, got.Call)
		if why.Denied {
			r.decision = audit.Deny
		}
		return s.refuse(e, r)
	}
	if err != nil {
		return s.refuse(e, failed(wire.Code_CODE_INTERNAL, "the host failed", err.Error()))
	}
	e.Details.Status = int(got.Status)
	if _, err := body.Write(got.Result); err != nil {
		return s.refuse(e, limited("the result of %d bytes has no room: %v", len(got.Result), err))
	}
	body.settle()
	if err := s.record(e); err != nil {
		return answer(wire.Code_CODE_INTERNAL, unrecorded)
	}
	kept = true
	return &wire.CapabilityReply{Handle: s.keep(newBody(body)), Status: got.Status, BodyBytes: uint64(len(got.Result))}
}

// invokable finds what an alias stands for.
func (s *Session) invokable(req *wire.Invoke, e *audit.Entry) (policies.Invoke, *refusal) {
	for _, target := range s.b.cfg.Invokes {
		if target.Alias != req.GetAlias() {
			continue
		}
		e.Rule, e.Details.Tool = target.DeclRange(), target.Target()
		switch n := len(req.GetArguments()); {
		case n > pluginkit.MaxRequestBody:
			return target, limited("arguments of %d bytes (maximum %d)", n, pluginkit.MaxRequestBody)
		case s.caller.Invoke == nil:
			return target, failed(wire.Code_CODE_UNAVAILABLE, "no tool can be called here", "")
		}
		return target, nil
	}
	return policies.Invoke{}, denied("the policy gives this plugin no tool under the alias %s", fmt.Sprintf("%.80q", req.GetAlias()))
}
