package host

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
)

// Tool is a tool as its plugin describes it. The words are the author's.
type Tool struct {
	// Name is "plugin.tool".
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Input       json.RawMessage `json:"input_schema"`
	Output      json.RawMessage `json:"output_schema,omitempty"`
}

// Tools returns what a plugin offers. It starts a sandbox if none has run yet,
// since the guest itself describes its tools.
func (h *Host) Tools(ctx context.Context, name string) ([]Tool, error) {
	if err := h.enter(); err != nil {
		return nil, &CallError{Kind: ErrClosed, Tool: name}
	}
	defer h.active.Done()
	p, err := h.plugin(name, name)
	if err != nil {
		return nil, err
	}
	if p.known() == nil {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		defer context.AfterFunc(h.ctx, func() { cancel(ErrClosed) })()
		lease, err := h.pool.Acquire(ctx, name, p.policy.Limits().Processes, p.start)
		if err != nil {
			return nil, classify(name, err)
		}
		lease.Release(true)
	}
	var tools []Tool
	for _, t := range p.known() {
		tools = append(tools, Tool{Name: name + "." + t.Name, Description: t.Description, Input: t.InputSchema, Output: t.OutputSchema})
	}
	return tools, nil
}

// Prepare compiles a plugin's module, unless the cache has it, so that the first
// call need not wait.
func (h *Host) Prepare(ctx context.Context, name string) error {
	if err := h.enter(); err != nil {
		return &CallError{Kind: ErrClosed, Tool: name}
	}
	defer h.active.Done()
	p, err := h.plugin(name, name)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(h.ctx, func() { cancel(ErrClosed) })()
	if _, err := p.prepare(ctx); err != nil {
		return classify(name, err)
	}
	return nil
}

// plugin finds a plugin of the policy, for somebody who asked for what.
func (h *Host) plugin(name, what string) (*plugin, error) {
	if p, ok := h.plugins[name]; ok {
		return p, nil
	}
	var names []string
	for _, p := range h.policy.Plugins() {
		names = append(names, p.Name())
	}
	return nil, &CallError{Kind: ErrUnknownTool, Tool: what, Detail: "the policy has " + enumerate(names)}
}

// enumerate lists names for an error message.
func enumerate(names []string) string {
	const most = 12
	switch n := len(names); {
	case n == 0:
		return "none"
	case n > most:
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), n-most)
	}
	return strings.Join(names, ", ")
}
