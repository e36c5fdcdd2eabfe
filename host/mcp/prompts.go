package mcp

import (
	"context"
	"fmt"
	"slices"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/ringfence/ringfence/host"
)

// offerPrompts brings the list of prompts in line with the offers. The caller
// holds mu.
func (s *Server) offerPrompts() {
	var all []owned
	byOwner := map[owned]host.Prompt{}
	for _, plugin := range s.plugins {
		for _, p := range s.offers[plugin].Prompts {
			o := owned{plugin, p.Name}
			all = append(all, o)
			byOwner[o] = p
		}
	}
	named := names(all, s.opts.Prefix)
	lost := clash(named)
	now, room := map[string]bool{}, room{}
	s.prompts = map[string]owned{}
	for _, o := range all {
		name := named[o]
		if slices.Contains(lost, name) {
			s.opts.Logger.Error("a prompt is not offered: another has its name", "plugin", o.plugin, "prompt", o.name)
			continue
		}
		if s.protected(name, func() error { return s.addPrompt(name, o.plugin, byOwner[o], room) }) {
			now[name] = true
			s.prompts[name] = o
		}
	}
	s.sdk.RemovePrompts(without(s.offered.prompts, now)...)
	s.offered.prompts = now
}

func (s *Server) addPrompt(name, plugin string, p host.Prompt, room room) error {
	described := &sdk.Prompt{Meta: untrusted(plugin), Name: name, Title: p.Title, Description: whose(p.Description, plugin)}
	for _, a := range p.Arguments {
		described.Arguments = append(described.Arguments, &sdk.PromptArgument{
			Name: a.Name, Title: a.Title, Description: a.Description, Required: a.Required,
		})
	}
	if err := room.take(plugin, described); err != nil {
		return err
	}
	s.sdk.AddPrompt(described, func(ctx context.Context, req *sdk.GetPromptRequest) (*sdk.GetPromptResult, error) {
		return s.getPrompt(ctx, req, plugin, p)
	})
	return nil
}

func (s *Server) getPrompt(ctx context.Context, req *sdk.GetPromptRequest, plugin string, p host.Prompt) (*sdk.GetPromptResult, error) {
	for _, a := range p.Arguments {
		if _, given := req.Params.Arguments[a.Name]; a.Required && !given {
			return nil, &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams, Message: fmt.Sprintf("the argument %s is missing", a.Name)}
		}
	}
	var filled host.Messages
	from := asker{req.Session, req.Extra, req.Params.GetProgressToken()}
	err := s.ask(ctx, from, plugin, plugin, func(ctx context.Context, caller host.Caller) (err error) {
		filled, err = s.host.Prompt(ctx, plugin, p.Name, req.Params.Arguments, caller)
		return err
	})
	if err != nil {
		return nil, protocolError(err)
	}
	out := &sdk.GetPromptResult{Meta: untrusted(plugin), Description: filled.Description, Messages: []*sdk.PromptMessage{}}
	for _, m := range filled.Messages {
		out.Messages = append(out.Messages, &sdk.PromptMessage{Role: sdk.Role(m.Role), Content: blockContent(m.Block)})
	}
	if err := fits(out); err != nil {
		return nil, protocolError(err)
	}
	return out, nil
}

// complete asks the plugin that has the prompt or template. One that completes
// nothing has no completions, which is no error.
func (s *Server) complete(ctx context.Context, req *sdk.CompleteRequest) (*sdk.CompleteResult, error) {
	none := &sdk.CompleteResult{Completion: sdk.CompletionResultDetails{Values: []string{}}}
	begun := host.Completing{Argument: req.Params.Argument.Name, Value: req.Params.Argument.Value}
	if req.Params.Context != nil {
		begun.Others = req.Params.Context.Arguments
	}
	plugin := ""
	s.mu.Lock()
	switch req.Params.Ref.Type {
	case "ref/prompt":
		o := s.prompts[req.Params.Ref.Name]
		plugin, begun.Prompt = o.plugin, o.name
	case "ref/resource":
		if uri := req.Params.Ref.URI; s.offered.templates[uri] {
			plugin, begun.Template = s.schemes()[host.Resource{URI: uri}.Scheme()], uri
		}
	}
	completes := s.offers[plugin].Completes
	s.mu.Unlock()
	if plugin == "" {
		return nil, &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams, Message: "there is no such prompt or template"}
	}
	if !completes {
		return none, nil
	}
	ctx, end := s.bind(ctx, req.Session, req.Extra)
	defer end()
	leave, busy := s.gate.enter(plugin)
	if busy != nil {
		return nil, protocolError(busy)
	}
	defer leave()
	found, err := s.host.Complete(ctx, plugin, begun)
	if err != nil {
		return nil, protocolError(err)
	}
	return &sdk.CompleteResult{
		Meta:       untrusted(plugin),
		Completion: sdk.CompletionResultDetails{Values: found.Values, Total: found.Total, HasMore: found.HasMore},
	}, nil
}
