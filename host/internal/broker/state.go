package broker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/ringfence/ringfence/host/internal/audit"
	"github.com/ringfence/ringfence/host/internal/printable"
	"github.com/ringfence/ringfence/host/internal/state"
	"github.com/ringfence/ringfence/pluginkit/wire"
	"github.com/ringfence/ringfence/policies"
)

// writeRate is how many bytes a second a plugin's state may have the host write, on
// the average: every change writes all of it.
//
// Attack: a guest that changes one byte of 64 MiB, ten thousand times a call, wears
// out the disk.
const writeRate = 8 << 20

// Kept is what a plugin may keep between its calls, and where. Spend is the broker's.
type Kept struct {
	Grant  *policies.StateGrant
	Config state.Config
}

// open makes the state, whose changes are rationed.
func (k Kept) open(now func() time.Time) *state.State {
	if k.Grant == nil {
		return nil
	}
	// At once, as often as a small state is likely to be set by one call.
	writes := rate.NewLimiter(writeRate, int(k.Grant.Size)+64<<20)
	k.Config.Spend = func(bytes int64) error {
		if !writes.AllowN(now(), int(bytes)) {
			return fmt.Errorf("%w: the state is changed too often: every change writes all of its %d bytes (%d a second)", state.ErrLimit, bytes, writeRate)
		}
		return nil
	}
	return state.New(k.Config)
}

var stateVerbs = map[wire.StateOperation]string{
	wire.StateOperation_STATE_GET: "get", wire.StateOperation_STATE_SET: "set",
	wire.StateOperation_STATE_DELETE: "delete", wire.StateOperation_STATE_LIST: "list",
}

// state takes an operation through its chain:
//
//	grant → form → (leak scan) → record → rate and execute → guest
func (s *Session) state(ctx context.Context, req *wire.State) *wire.CapabilityReply {
	e := audit.Entry{Kind: "state", Details: audit.Details{Method: stateVerbs[req.GetOperation()], Key: clip(req.GetKey(), 256), Sent: int64(len(req.GetValue()))}}
	if refused := s.admitState(req, &e); refused != nil {
		return s.refuse(e, refused)
	}
	allowed := e
	allowed.Decision = audit.Allow
	if err := s.record(allowed); err != nil {
		return answer(wire.Code_CODE_INTERNAL, unrecorded)
	}
	reply, err := s.carryOut(ctx, req)
	if err != nil {
		return s.refuse(e, stateRefusal(err))
	}
	return reply
}

func (s *Session) admitState(req *wire.State, e *audit.Entry) *refusal {
	if s.b.kept == nil {
		return denied("the policy does not let this plugin keep anything (state { })")
	}
	e.Rule = s.b.cfg.Kept.Grant.DeclRange()
	if e.Details.Method == "" {
		return invalid("an operation %d on the state", req.GetOperation())
	}
	if req.GetOperation() == wire.StateOperation_STATE_LIST {
		return nil
	}
	if err := state.CheckKey(req.GetKey()); err != nil {
		return stateRefusal(err)
	}
	return nil
}

func (s *Session) carryOut(ctx context.Context, req *wire.State) (*wire.CapabilityReply, error) {
	kept, reply := s.b.kept, &wire.CapabilityReply{}
	var entries []state.Entry
	var err error
	switch req.GetOperation() {
	case wire.StateOperation_STATE_GET:
		var e state.Entry
		reply.Data, e, err = kept.Get(req.GetKey())
		entries = append(entries, e)
	case wire.StateOperation_STATE_SET:
		var e state.Entry
		e, err = kept.Set(ctx, req.GetKey(), req.GetValue(), state.If{Absent: req.GetAbsent(), Version: req.GetVersion()})
		entries = append(entries, e)
	case wire.StateOperation_STATE_DELETE:
		err = kept.Delete(ctx, req.GetKey(), req.GetVersion())
	case wire.StateOperation_STATE_LIST:
		n := int(req.GetLength())
		if n == 0 || n > maxListed {
			n = maxListed
		}
		entries, reply.More, err = kept.List(req.GetKey(), req.GetAfter(), n)
	}
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		reply.Entries = append(reply.Entries, &wire.Entry{Name: e.Key, Size: uint64(e.Size), Version: e.Version})
	}
	return reply, nil
}

// stateRefusal turns an error of the state into a refusal.
func stateRefusal(err error) *refusal {
	text := printable.Line(err.Error(), 512)
	for _, known := range []struct {
		is   error
		code wire.Code
		deny bool
	}{
		{state.ErrKey, wire.Code_CODE_INVALID, true},
		{state.ErrLimit, wire.Code_CODE_LIMIT, true},
		{state.ErrNotFound, wire.Code_CODE_NOT_FOUND, false},
		{state.ErrExists, wire.Code_CODE_EXISTS, false},
		{state.ErrChanged, wire.Code_CODE_CHANGED, false},
		{state.ErrBusy, wire.Code_CODE_TIMEOUT, false},
		{state.ErrEnded, wire.Code_CODE_CANCELED, false},
	} {
		if errors.Is(err, known.is) {
			r := failed(known.code, strings.TrimPrefix(text, known.is.Error()+": "), "")
			if known.deny {
				r.decision = audit.Deny
			}
			return r
		}
	}
	return failed(wire.Code_CODE_INTERNAL, "the host failed", text)
}
