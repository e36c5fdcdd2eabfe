package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/ringfence/ringfence/host"
)

// callTool runs a tool. What goes wrong in or around the tool is its result: an
// assistant sees it and can do better.
func (s *Server) callTool(ctx context.Context, req *sdk.CallToolRequest, t *tool) (*sdk.CallToolResult, error) {
	arguments := req.Params.Arguments
	if len(arguments) == 0 || string(arguments) == "null" {
		arguments = json.RawMessage(`{}`)
	}
	var result *host.Result
	from := asker{req.Session, req.Extra, req.Params.GetProgressToken()}
	err := s.ask(ctx, from, t.plugin, t.Name, func(ctx context.Context, caller host.Caller) (err error) {
		result, err = s.host.Do(ctx, host.Request{Tool: t.Name, Arguments: arguments, MaxResult: maxResult, Caller: caller})
		return err
	})
	if err != nil {
		return t.failed(err), nil
	}
	return t.result(result), nil
}

// asker is who asks something of a plugin, and with which token for progress.
type asker struct {
	session *sdk.ServerSession
	extra   *sdk.RequestExtra
	token   any
}

// ask asks something of a plugin: the asking ends with everything it is tied to,
// takes one of the plugin's places, and what the plugin has to say meanwhile, in
// the name of what was asked, goes out before the answer.
func (s *Server) ask(ctx context.Context, from asker, plugin, name string, do func(context.Context, host.Caller) error) error {
	ctx, end := s.bind(ctx, from.session, from.extra)
	defer end()
	leave, busy := s.gate.enter(plugin)
	if busy != nil {
		return busy
	}
	defer leave()
	notices := newNotices(ctx, s, from.session, name, from.token)
	err := do(ctx, notices.caller())
	notices.flush()
	return err
}

// bind ties a call to everything whose end is its end: the server, the session
// that called, and the HTTP request that waits for the answer. A client may come
// back, but nothing is kept for it, so nobody would ever see the result.
func (s *Server) bind(ctx context.Context, session *sdk.ServerSession, extra *sdk.RequestExtra) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	var unbind []func() bool
	tie := func(to context.Context) {
		unbind = append(unbind, context.AfterFunc(to, func() { cancel(context.Canceled) }))
	}
	tie(s.ctx)
	if life := s.clients.life(session.ID()); life != nil {
		tie(life)
	}
	if waiting := requestOf(extra); waiting != nil {
		tie(waiting)
	}
	return ctx, func() {
		for _, f := range unbind {
			f()
		}
		cancel(nil)
	}
}

// requestOf is the context of the HTTP request that a message came with, or nil.
func requestOf(extra *sdk.RequestExtra) context.Context {
	if extra == nil || extra.TokenInfo == nil {
		return nil
	}
	r, _ := extra.TokenInfo.Extra[requestKey].(*http.Request)
	if r == nil {
		return nil
	}
	return r.Context()
}

// protocolError is for what the protocol has no result for: prompts and
// resources.
func protocolError(err error) error {
	code := int64(jsonrpc.CodeInternalError)
	if errors.Is(err, host.ErrBadArguments) || errors.Is(err, host.ErrUnknownTool) {
		code = jsonrpc.CodeInvalidParams
	}
	return &jsonrpc.Error{Code: code, Message: err.Error()}
}
