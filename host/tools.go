package host

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/ringfence/ringfence/host/internal/manifest"
)

// Tool is a tool as its plugin describes it. The words are the author's.
type Tool struct {
	// Name is "plugin.tool".
	Name        string `json:"name"`
	Title       string `json:"title,omitempty"`
	Description string `json:"description"`
	// Hints are the author's words about its effects, and the policy's where it
	// has some. Nothing enforces the author's.
	Hints Hints `json:"annotations"`
	// Content says that it answers with content blocks; Output is then the
	// schema of the structured part.
	Content bool            `json:"content,omitempty"`
	Input   json.RawMessage `json:"input_schema"`
	Output  json.RawMessage `json:"output_schema,omitempty"`
}

// Hints say what a tool does to the world. nil: nobody says.
type Hints = manifest.Hints

// hints puts the policy's word over the author's.
func (p *plugin) hints(t manifest.Tool) Hints {
	h := t.Hints
	for _, over := range p.policy.Tools() {
		if over.Tool != t.Name {
			continue
		}
		for _, hint := range []struct{ into, from **bool }{
			{&h.ReadOnly, &over.ReadOnly}, {&h.Destructive, &over.Destructive},
			{&h.Idempotent, &over.Idempotent}, {&h.OpenWorld, &over.OpenWorld},
		} {
			if *hint.from != nil {
				*hint.into = *hint.from
			}
		}
	}
	return h
}

// Tools returns the tools of a plugin. It starts a sandbox if none has run yet,
// since the guest itself describes its tools.
func (h *Host) Tools(ctx context.Context, name string) ([]Tool, error) {
	p, err := h.described(ctx, name)
	if err != nil {
		return nil, err
	}
	return p.toolList(), nil
}

func (p *plugin) toolList() (tools []Tool) {
	for _, t := range p.known() {
		tools = append(tools, Tool{
			Name: p.policy.Name() + "." + t.Name, Title: t.Title, Description: t.Description,
			Hints: p.hints(t), Content: t.Content, Input: t.InputSchema, Output: t.OutputSchema,
		})
	}
	return tools
}

// described returns a plugin that has described itself.
func (h *Host) described(ctx context.Context, name string) (*plugin, error) {
	if err := h.enter(); err != nil {
		return nil, &CallError{Kind: ErrClosed, Tool: name}
	}
	defer h.active.Done()
	p, err := h.plugin(name, name)
	if err != nil || p.known() != nil {
		return p, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(h.ctx, func() { cancel(ErrClosed) })()
	lease, err := h.pool.Acquire(ctx, name, p.policy.Limits().Processes, 0, p.start)
	if err != nil {
		return nil, classify(name, err)
	}
	lease.Release(true)
	return p, nil
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
