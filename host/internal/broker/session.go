package broker

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/ringfence/ringfence/host/internal/audit"
	"github.com/ringfence/ringfence/pluginkit/wire"
)

// Denial is one request that the policy or a guard refused, for the host to tell
// the user. All texts are bounded; the URL has no query values.
type Denial struct {
	Kind   string // "http", "http_response", "http_body", "secret_exists", "ask", "files", "state", "invoke", "limit"
	Rule   string
	Reason string
	Method string
	URL    string
	Secret string
}

// Most denials that a session keeps, and that it answers before it stops looking.
const (
	maxDenials = 64
	// maxRefused is how many refusals a call gets on record. A guest that
	// provokes more could push older records out of the audit log.
	maxRefused = 1_000
)

// Session serves one call. It is safe for concurrent use.
type Session struct {
	b      *Broker
	id     string
	ctx    context.Context
	cancel context.CancelFunc
	active atomic.Int64 // HTTP requests that run
	caller Caller
	free   sync.Once // at the end

	mu       sync.Mutex // guards what follows
	closed   bool
	running  sync.WaitGroup // Handle calls; Add only while !closed
	bodies   map[uint64]*body
	reserved int // handles that requests in flight will need
	asked    int // requests so far
	refused  int
	denials  []Denial
	reading  string // the file of the last read
}

// Call begins a call that nobody waits for who could be asked anything.
func (b *Broker) Call(ctx context.Context, callID string) *Session {
	return b.CallFor(ctx, callID, Caller{})
}

// CallFor begins a call. The session ends with Close, and refuses everything once
// ctx is done. The id stands in audit records; the caller is asked what the guest
// asks, if the policy allows it.
func (b *Broker) CallFor(ctx context.Context, callID string, caller Caller) *Session {
	s := &Session{b: b, id: callID, caller: caller, bodies: make(map[uint64]*body)}
	s.ctx, s.cancel = context.WithCancel(ctx)
	return s
}

// Close cancels what runs, waits for it, and frees every body.
func (s *Session) Close() {
	s.cancel()
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.running.Wait()
	// Whoever closes it too waits until nothing is left. Not under mu: the ends of
	// bodies go on record.
	s.free.Do(func() {
		for _, body := range s.bodies {
			body.close()
		}
		s.bodies = nil
	})
}

// Denials lists what was refused so far, the first 64 of it.
func (s *Session) Denials() []Denial {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Denial(nil), s.denials...)
}

// Handle carries out one request of the sandbox. It always returns a reply, and
// returns early when ctx or the session ends.
func (s *Session) Handle(ctx context.Context, req *wire.CapabilityRequest) (reply *wire.CapabilityReply) {
	defer func() {
		if p := recover(); p != nil {
			// The value is not printed: it could quote what was being sent.
			reply = s.failed(fmt.Sprintf("panic: %T", p))
		}
		reply.Id = req.GetId()
	}()
	if !s.enter() {
		return answer(wire.Code_CODE_CANCELED, "the call has ended")
	}
	defer s.running.Done()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(s.ctx, func() { cancel(context.Cause(s.ctx)) })()
	switch op := req.GetOp().(type) {
	case *wire.CapabilityRequest_Http:
		return s.counted(func() *wire.CapabilityReply { return s.http(ctx, op.Http) })
	case *wire.CapabilityRequest_SecretExists:
		return s.counted(func() *wire.CapabilityReply { return s.secretExists(op.SecretExists.GetName()) })
	case *wire.CapabilityRequest_Ask:
		return s.counted(func() *wire.CapabilityReply { return s.ask(ctx, op.Ask) })
	case *wire.CapabilityRequest_Progress:
		return s.counted(func() *wire.CapabilityReply { return s.progress(op.Progress) })
	case *wire.CapabilityRequest_ResourceUpdated:
		return s.counted(func() *wire.CapabilityReply { return s.updated(op.ResourceUpdated.GetUri()) })
	case *wire.CapabilityRequest_Files:
		return s.counted(func() *wire.CapabilityReply { return s.files(ctx, op.Files) })
	case *wire.CapabilityRequest_Invoke:
		return s.counted(func() *wire.CapabilityReply { return s.invoke(ctx, op.Invoke) })
	case *wire.CapabilityRequest_State:
		return s.counted(func() *wire.CapabilityReply { return s.state(ctx, op.State) })
	case *wire.CapabilityRequest_BodyRead:
		return s.read(ctx, op.BodyRead)
	case *wire.CapabilityRequest_BodyClose:
		return s.closeBody(op.BodyClose.GetHandle())
	}
	return answer(wire.Code_CODE_INVALID, "the request asks for nothing")
}

// enter begins a Handle, unless the session is closed.
func (s *Session) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.ctx.Err() != nil {
		return false
	}
	s.running.Add(1)
	return true
}

// counted runs a request that leaves a record, if the call may still make one.
func (s *Session) counted(run func() *wire.CapabilityReply) *wire.CapabilityReply {
	s.mu.Lock()
	s.asked++
	asked, refused := s.asked, s.refused
	s.mu.Unlock()
	what, most := "requests", s.b.limits.Requests
	if refused >= maxRefused {
		what, most, asked = "refused requests", maxRefused, refused+1
	}
	if asked <= most {
		return run()
	}
	message := fmt.Sprintf("more than %d %s in one call", most, what)
	if asked == most+1 { // once: a record for each would be what this prevents
		s.deny(Denial{Kind: "limit", Reason: message})
		if err := s.record(audit.Entry{Kind: "limit", Decision: audit.Deny, Reason: message}); err != nil {
			return s.failed(err.Error())
		}
	}
	return answer(wire.Code_CODE_LIMIT, message)
}

// deny keeps a denial for the user.
func (s *Session) deny(d Denial) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused++
	if len(s.denials) >= maxDenials {
		return
	}
	d.Rule, d.Reason, d.Method = clip(d.Rule, 256), clip(d.Reason, maxMessage), clip(d.Method, 64)
	d.URL, d.Secret = clip(audit.RedactURL(clip(d.URL, 2048)), 512), clip(d.Secret, 256)
	s.denials = append(s.denials, d)
}

func (s *Session) record(e audit.Entry) error {
	e.Plugin, e.Call = s.b.cfg.Plugin, s.id
	return s.b.cfg.Audit.Record(e)
}

// failed answers when the host itself is at fault. The cause goes to the audit
// log, if there still is one; the guest learns nothing of it.
func (s *Session) failed(cause string) *wire.CapabilityReply {
	_ = s.record(audit.Entry{Kind: "host", Decision: audit.Failed, Reason: cause})
	return answer(wire.Code_CODE_INTERNAL, "the host failed")
}

// secretExists tells whether a granted secret has a value. A secret that is not
// granted looks like one that does not exist.
func (s *Session) secretExists(name string) *wire.CapabilityReply {
	const longest = 256
	if len(name) > longest {
		return answer(wire.Code_CODE_INVALID, fmt.Sprintf("a secret's name of %d bytes (maximum %d)", len(name), longest))
	}
	e := audit.Entry{Kind: "secret_exists", Decision: audit.Deny, Reason: "the policy grants this plugin no secret of that name", Details: audit.Details{Secret: name}}
	exists := false
	for _, secret := range s.b.cfg.Secrets {
		if secret.Name() == name {
			exists = secret.Available()
			e.Decision, e.Reason = audit.Allow, fmt.Sprintf("granted; has a value: %t", exists)
		}
	}
	if e.Decision == audit.Deny {
		s.deny(Denial{Kind: e.Kind, Reason: e.Reason, Secret: name})
	}
	if err := s.record(e); err != nil {
		return answer(wire.Code_CODE_INTERNAL, unrecorded)
	}
	return &wire.CapabilityReply{Exists: exists}
}

// unrecorded is what a guest is told when the audit log cannot be written.
const unrecorded = "refused: the host cannot write its audit log"

// maxMessage is where a message to a guest is cut, in bytes.
const maxMessage = 1 << 10

func answer(code wire.Code, message string) *wire.CapabilityReply {
	return &wire.CapabilityReply{Code: code, Message: clip(message, maxMessage)}
}

// clip cuts text to so many bytes of valid UTF-8, as the wire demands.
func clip(s string, most int) string {
	if len(s) > most {
		s = s[:most-len("…")] + "…"
	}
	return strings.ToValidUTF8(s, "")
}
