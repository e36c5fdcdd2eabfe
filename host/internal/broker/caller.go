package broker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/ringfence/ringfence/host/internal/audit"
	"github.com/ringfence/ringfence/host/internal/content"
	"github.com/ringfence/ringfence/host/internal/manifest"
	"github.com/ringfence/ringfence/host/internal/printable"
	"github.com/ringfence/ringfence/pluginkit"
	"github.com/ringfence/ringfence/pluginkit/wire"
	"github.com/ringfence/ringfence/policies"
)

// Caller is whoever made a call, as far as its guest may reach it. A function that
// is nil reaches nobody.
type Caller struct {
	Progress func(done, total float64, message string)
	Updated  func(uri string)
	// Elicit asks a person, Sample a model. Errors: ErrNobody, the context's
	// cause, and others, whose text the guest gets.
	Elicit func(context.Context, content.Form) (content.FormAnswer, error)
	Sample func(context.Context, content.Sampling) (content.Sampled, error)
	// Invoke calls a tool of another plugin, whose result may have so many bytes. An
	// error that is a *RefusedError is told to the guest.
	Invoke func(ctx context.Context, target policies.Invoke, arguments []byte, most int64) (Invoked, error)
}

// ErrNobody means that whoever called cannot be asked such a thing.
var ErrNobody = errors.New("whoever called this tool cannot be asked")

// errUnanswered is the end of a question's own time.
var errUnanswered = errors.New("nobody answered")

// maxAnswer is the largest answer to a question, in bytes.
const maxAnswer = 1 << 20

func (s *Session) progress(p *wire.Progress) *wire.CapabilityReply {
	for _, f := range []float64{p.GetDone(), p.GetTotal()} {
		if math.IsNaN(f) || math.IsInf(f, 0) || f < 0 {
			return answer(wire.Code_CODE_INVALID, fmt.Sprintf("progress %v of %v", p.GetDone(), p.GetTotal()))
		}
	}
	if f := s.caller.Progress; f != nil {
		f(p.GetDone(), p.GetTotal(), printable.Line(p.GetMessage(), pluginkit.MaxProgress))
	}
	return &wire.CapabilityReply{}
}

func (s *Session) updated(uri string) *wire.CapabilityReply {
	if err := manifest.CheckURI(uri); err != nil {
		return answer(wire.Code_CODE_INVALID, err.Error())
	}
	if f := s.caller.Updated; f != nil {
		f(uri)
	}
	return &wire.CapabilityReply{}
}

// ask puts a question of the guest's to whoever called:
//
//	grant → form → handle → rate → record → ask → record → guest
func (s *Session) ask(ctx context.Context, q *wire.Ask) *wire.CapabilityReply {
	e := audit.Entry{Kind: "ask", Rule: s.b.cfg.Client.DeclRange()}
	put, refused := s.question(q, &e)
	if refused == nil {
		refused = s.reserve()
	}
	if refused == nil && !s.b.asks.Allow() {
		s.unreserve()
		n, per := s.b.cfg.Client.Rate()
		refused = limited("more than %d questions in %s", n, per)
	}
	if refused != nil {
		return s.refuse(e, refused)
	}
	defer s.unreserve()
	e.Decision = audit.Allow
	if err := s.record(e); err != nil {
		return answer(wire.Code_CODE_INTERNAL, unrecorded)
	}
	timeout := s.b.cfg.Client.Timeout()
	patient, cancel := context.WithTimeoutCause(ctx, timeout, errUnanswered)
	reply, err := put(patient)
	if cause := context.Cause(patient); err != nil && errors.Is(cause, errUnanswered) {
		err = fmt.Errorf("%w in %s", cause, timeout)
	}
	cancel()
	if err == nil && len(reply) > maxAnswer {
		err = fmt.Errorf("an answer of %d bytes (maximum %d)", len(reply), maxAnswer)
	}
	if err != nil {
		return s.refuse(e, unanswered(err))
	}
	body := newSpool(s.b.quota, s.b.cfg.RunDir)
	if _, err := body.Write(reply); err != nil {
		body.Close()
		return s.refuse(e, limited("the answer has no room: %v", err))
	}
	e.Kind, e.Reason, e.Details.Received = "answer", "", int64(len(reply))
	if err := s.record(e); err != nil {
		body.Close()
		return answer(wire.Code_CODE_INTERNAL, unrecorded)
	}
	return &wire.CapabilityReply{Handle: s.keep(newBody(body)), BodyBytes: uint64(len(reply))}
}

// question reads a question that the policy allows, and returns what puts it.
func (s *Session) question(q *wire.Ask, e *audit.Entry) (func(context.Context) ([]byte, error), *refusal) {
	if n := len(q.GetRequest()); n > pluginkit.MaxRequestHead {
		return nil, limited("a question of %d bytes (maximum %d)", n, pluginkit.MaxRequestHead)
	}
	switch q.GetKind() {
	case wire.AskKind_ASK_ELICITATION:
		if !s.b.cfg.Client.Elicitation() {
			return nil, denied("the policy does not let this plugin ask the person at the client (client { elicitation = true })")
		}
		form, err := content.ParseForm(q.GetRequest())
		if err != nil {
			return nil, invalid("%s", err)
		}
		e.Reason = "elicitation: " + printable.Line(form.Message, 512)
		return func(ctx context.Context) ([]byte, error) {
			if s.caller.Elicit == nil {
				return nil, ErrNobody
			}
			a, err := s.caller.Elicit(ctx, form)
			if err != nil {
				return nil, err
			}
			return json.Marshal(a)
		}, nil
	case wire.AskKind_ASK_SAMPLING:
		most, ok := s.b.cfg.Client.Sampling()
		if !ok {
			return nil, denied("the policy does not let this plugin ask the client's model (client { sampling = true })")
		}
		request, err := content.ParseSampling(q.GetRequest(), most)
		if err != nil {
			return nil, invalid("%s", err)
		}
		e.Reason = fmt.Sprintf("sampling: %d messages, %d tokens", len(request.Messages), request.MaxTokens)
		return func(ctx context.Context) ([]byte, error) {
			if s.caller.Sample == nil {
				return nil, ErrNobody
			}
			a, err := s.caller.Sample(ctx, request)
			if err != nil {
				return nil, err
			}
			return json.Marshal(a)
		}, nil
	}
	return nil, invalid("a question of the kind %d", q.GetKind())
}

// refuse records and answers a question that brought nothing.
func (s *Session) refuse(e audit.Entry, r *refusal) *wire.CapabilityReply {
	if r.decision == audit.Deny {
		s.deny(Denial{Kind: e.Kind, Rule: e.Rule, Reason: r.message})
	}
	e.Decision, e.Reason = r.decision, r.message
	if e.Kind != "ask" && r.detail != "" {
		e.Reason += ": " + r.detail
	}
	if err := s.record(e); err != nil {
		return answer(wire.Code_CODE_INTERNAL, unrecorded)
	}
	return answer(r.code, r.message)
}

// unanswered is why a question has no answer.
func unanswered(err error) *refusal {
	text := printable.Line(err.Error(), 512)
	switch {
	case errors.Is(err, errUnanswered):
		return failed(wire.Code_CODE_TIMEOUT, text, text)
	case errors.Is(err, context.DeadlineExceeded):
		return failed(wire.Code_CODE_TIMEOUT, "nobody answered in the call's time", text)
	case errors.Is(err, context.Canceled):
		return failed(wire.Code_CODE_CANCELED, "the call ended before there was an answer", text)
	}
	return failed(wire.Code_CODE_UNAVAILABLE, text, text)
}
