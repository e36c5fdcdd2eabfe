package mcp

import (
	"context"
	"fmt"
	"sync"
	"time"

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

// patient lets what depends on the plugins wait until each had a chance to say
// what it offers. It does not wait long: a plugin may never say it.
func (s *Server) patient(next sdk.MethodHandler) sdk.MethodHandler {
	return func(ctx context.Context, method string, req sdk.Request) (sdk.Result, error) {
		switch method {
		case "tools/list", "tools/call", "prompts/list", "prompts/get",
			"resources/list", "resources/templates/list", "resources/read", "completion/complete":
			timer := time.NewTimer(listWait)
			defer timer.Stop()
			select {
			case <-s.settled:
			case <-timer.C:
			case <-ctx.Done():
			}
		}
		return next(ctx, method, req)
	}
}
