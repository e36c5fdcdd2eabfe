package host

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/ringfence/ringfence/host/internal/content"
	"github.com/ringfence/ringfence/host/internal/manifest"
)

// Offer is all that a plugin offers, in its author's words.
type Offer struct {
	// Plugin is the plugin's name.
	Plugin string
	Tools  []Tool
	// Resources can be read, and so can everything that fits a template.
	Resources, Templates []Resource
	Prompts              []Prompt
	// Completes says that the plugin completes arguments of prompts and
	// templates.
	Completes bool
}

// What a plugin offers beside tools.
type (
	Resource       = manifest.Resource
	Prompt         = manifest.Prompt
	PromptArgument = manifest.PromptArgument
)

// Offer returns what a plugin offers. It starts a sandbox if none has run yet.
func (h *Host) Offer(ctx context.Context, plugin string) (Offer, error) {
	p, err := h.described(ctx, plugin)
	if err != nil {
		return Offer{}, err
	}
	e := p.offered()
	return Offer{
		Plugin: plugin, Tools: p.toolList(),
		Resources: e.Resources, Templates: e.Templates, Prompts: e.Prompts, Completes: e.Completes,
	}, nil
}

// maxExtra is the largest answer that is not a tool's, in bytes.
const maxExtra = 4 << 20

// Contents is what a resource holds, a Block one part of an answer.
type (
	Contents   = content.Resource
	Block      = content.Block
	Messages   = content.Messages
	Completion = content.Completion
)

// Read reads a resource of a plugin: one of its list, or one that fits the
// template and has these variables.
func (h *Host) Read(ctx context.Context, plugin, uri, template string, variables map[string]string, caller Caller) (all []Contents, err error) {
	if err := manifest.CheckURI(uri); err != nil {
		return nil, &CallError{Kind: ErrBadArguments, Tool: plugin, Detail: err.Error()}
	}
	want := func(c *call, _ []manifest.Tool, e manifest.Extras) (int, *manifest.Tool, string, error) {
		for i, r := range e.Resources {
			if template == "" && r.URI == uri {
				n, tool := e.ReadResource(i)
				return n, tool, plugin + "." + uri, nil
			}
		}
		for i, r := range e.Templates {
			if template != "" && r.URI == template {
				n, tool := e.ReadTemplate(i)
				return n, tool, plugin + "." + uri, nil
			}
		}
		return 0, nil, c.name, fmt.Errorf("%s has no resource %s", plugin, uri)
	}
	return all, h.extra(ctx, plugin, map[string]any{"uri": uri, "variables": variables}, caller, want, func(result []byte) (err error) {
		all, err = content.ParseContents(result)
		return err
	})
}

// Prompt fills a prompt of a plugin.
func (h *Host) Prompt(ctx context.Context, plugin, name string, arguments map[string]string, caller Caller) (m Messages, err error) {
	want := func(c *call, _ []manifest.Tool, e manifest.Extras) (int, *manifest.Tool, string, error) {
		for i, p := range e.Prompts {
			if p.Name == name {
				n, tool := e.GetPrompt(i)
				return n, tool, plugin + "." + name, nil
			}
		}
		return 0, nil, c.name, fmt.Errorf("%s has no prompt %s", plugin, name)
	}
	return m, h.extra(ctx, plugin, map[string]any{"arguments": arguments}, caller, want, func(result []byte) (err error) {
		m, err = content.ParseMessages(result)
		return err
	})
}

// Completing is the beginning of an argument of a prompt, or of a template.
type Completing struct {
	Prompt   string            `json:"prompt,omitempty"`
	Template string            `json:"template,omitempty"`
	Argument string            `json:"argument"`
	Value    string            `json:"value"`
	Others   map[string]string `json:"others,omitempty"`
}

// Complete asks a plugin what an argument could be.
func (h *Host) Complete(ctx context.Context, plugin string, begun Completing) (found Completion, err error) {
	want := func(c *call, _ []manifest.Tool, e manifest.Extras) (int, *manifest.Tool, string, error) {
		if !e.Completes {
			return 0, nil, c.name, fmt.Errorf("%s completes nothing", plugin)
		}
		n, tool := e.Complete()
		return n, tool, plugin + ".completion", nil
	}
	return found, h.extra(ctx, plugin, begun, Caller{}, want, func(result []byte) (err error) {
		found, err = content.ParseCompletion(result)
		return err
	})
}

// extra calls what is not a tool.
func (h *Host) extra(ctx context.Context, plugin string, arguments any, caller Caller, want want, read func([]byte) error) error {
	if _, err := h.described(ctx, plugin); err != nil {
		return err
	}
	encoded, err := json.Marshal(arguments)
	if err != nil {
		return err
	}
	_, err = h.do(ctx, &call{name: plugin, arguments: encoded, most: maxExtra, caller: caller, want: want, read: read})
	return err
}
