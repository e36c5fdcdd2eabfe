package mcp

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// gate counts what runs.
type gate struct {
	mu       sync.Mutex
	requests int
	calls    int
	byPlugin map[string]int
}

func newGate() *gate { return &gate{byPlugin: map[string]int{}} }

// enter begins a call, or says what is busy.
func (g *gate) enter(plugin string) (leave func(), busy error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if n := g.byPlugin[plugin]; n >= maxPluginCalls {
		return nil, fmt.Errorf("plugin %s is busy: %d calls run or wait (maximum %d); try again later", plugin, n, maxPluginCalls)
	}
	if g.calls >= maxCalls {
		return nil, fmt.Errorf("%d calls run or wait (maximum %d); try again later", g.calls, maxCalls)
	}
	g.calls++
	g.byPlugin[plugin]++
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.calls--
		if g.byPlugin[plugin]--; g.byPlugin[plugin] == 0 {
			delete(g.byPlugin, plugin)
		}
	}, nil
}

func (g *gate) request(n int) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if n > 0 && g.requests >= maxRequests {
		return false
	}
	g.requests += n
	return true
}

// guard bounds the requests that are being answered, and turns a bug of ours into
// an error of one request instead of the end of all sessions.
func (s *Server) guard(next sdk.MethodHandler) sdk.MethodHandler {
	return func(ctx context.Context, method string, req sdk.Request) (_ sdk.Result, err error) {
		if !s.gate.request(1) {
			return nil, &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: fmt.Sprintf("busy: %d requests (maximum %d)", maxRequests, maxRequests)}
		}
		defer s.gate.request(-1)
		defer func() {
			if p := recover(); p != nil {
				s.opts.Logger.Error("panic", "method", method, "value", fmt.Sprintf("%.500v", p))
				err = &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: "internal error"}
			}
		}()
		return next(ctx, method, req)
	}
}

// patient lets lists wait until each plugin had a chance to say what it offers,
// for some seconds after the server's start: a plugin may never say it. What is
// known already need not wait for what is not.
func (s *Server) patient(next sdk.MethodHandler) sdk.MethodHandler {
	return func(ctx context.Context, method string, req sdk.Request) (sdk.Result, error) {
		if s.waits(method, req) {
			select {
			case <-s.settled:
			case <-s.patience.Done():
			case <-ctx.Done():
			}
			if err := s.early(method, req); err != nil {
				return nil, err
			}
		}
		return next(ctx, method, req)
	}
}

// early says of a tool or prompt that is not there while plugins are still starting
// that it may come: "unknown" would be read as a reason not to ask again.
func (s *Server) early(method string, req sdk.Request) error {
	if method != "tools/call" && method != "prompts/get" || !s.waits(method, req) {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var starting []string
	for _, plugin := range s.plugins {
		if _, known := s.offers[plugin]; !known {
			starting = append(starting, plugin)
		}
	}
	if len(starting) == 0 {
		return nil
	}
	return &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams, Message: fmt.Sprintf(
		"there is no such tool or prompt yet, and these plugins have not started: %s. List the tools again, in a while if need be", strings.Join(starting, ", "))}
}

func (s *Server) waits(method string, req sdk.Request) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch method {
	case "tools/list", "prompts/list", "resources/list", "resources/templates/list", "completion/complete":
		return true
	case "tools/call":
		p, ok := req.GetParams().(*sdk.CallToolParamsRaw)
		return !ok || !s.offered.tools[p.Name]
	case "prompts/get":
		p, ok := req.GetParams().(*sdk.GetPromptParams)
		return !ok || !s.offered.prompts[p.Name]
	case "resources/read":
		p, ok := req.GetParams().(*sdk.ReadResourceParams)
		return !ok || !s.offered.resources[p.URI]
	}
	return false
}
