package mcp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/ringfence/ringfence/host"
)

// load learns in the background what each plugin offers.
func (s *Server) load() {
	var first sync.WaitGroup
	for _, plugin := range s.plugins {
		first.Add(1)
		s.loaders.Go(func() { s.loadPlugin(plugin, first.Done) })
	}
	s.loaders.Go(func() {
		first.Wait()
		close(s.settled)
	})
}

// loadPlugin tries until the plugin has said what it offers.
func (s *Server) loadPlugin(plugin string, tried func()) {
	once := sync.OnceFunc(tried)
	defer once()
	for wait := retryFirst; ; wait = min(2*wait, retryLast) {
		offer, err := s.learn(plugin)
		if err == nil {
			s.offer(offer)
			return
		}
		if s.ctx.Err() != nil || errors.Is(err, host.ErrClosed) {
			return
		}
		s.opts.Logger.Error("a plugin is missing: it does not start", "plugin", plugin, "error", err, "retry", wait)
		once()
		select {
		case <-time.After(wait):
		case <-s.ctx.Done():
			return
		}
	}
}

// learn starts the plugin when it is its turn.
func (s *Server) learn(plugin string) (host.Offer, error) {
	select {
	case s.starting <- struct{}{}:
		defer func() { <-s.starting }()
	case <-s.ctx.Done():
		return host.Offer{}, s.ctx.Err()
	}
	return s.host.Offer(s.ctx, plugin)
}

// offered is what clients see, as it was last given to the protocol's server.
type offered struct{ tools, resources, templates, prompts map[string]bool }

// offer takes in what one plugin offers and tells clients what that changes.
func (s *Server) offer(o host.Offer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.offers[o.Plugin] = o
	s.offerTools()
	s.offerResources()
	s.offerPrompts()
}

// offerTools brings the list of tools in line with the offers. The caller holds
// mu. Clients are told of changes by the SDK, in the background.
func (s *Server) offerTools() {
	var all []owned
	byOwner := map[owned]*tool{}
	for _, plugin := range s.plugins {
		for _, t := range s.offers[plugin].Tools {
			o := owned{plugin, strings.TrimPrefix(t.Name, plugin+".")}
			all = append(all, o)
			byOwner[o] = &tool{server: s, plugin: plugin, Tool: t}
		}
	}
	named := names(all, s.opts.Prefix)
	lost := clash(named)
	now, room := map[string]bool{}, room{}
	for _, o := range all {
		name, t := named[o], byOwner[o]
		if slices.Contains(lost, name) {
			s.opts.Logger.Error("a tool is not offered: another has its name", "tool", t.Name, "name", name)
			continue
		}
		if err := s.addTool(name, t, room); err != nil {
			s.opts.Logger.Error("a tool is not offered", "tool", t.Name, "error", err)
			continue
		}
		now[name] = true
	}
	s.sdk.RemoveTools(without(s.offered.tools, now)...)
	s.offered.tools = now
}

// addTool gives a tool to the protocol's server, which panics at what it does not
// like.
func (s *Server) addTool(name string, t *tool, room room) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%.300v", p)
		}
	}()
	input, err := inputSchema(t.Input)
	if err != nil {
		return err
	}
	described := &sdk.Tool{
		Meta:        sdk.Meta{metaUntrusted: true, metaPlugin: t.plugin, metaTool: t.Name},
		Name:        name,
		Title:       t.Title,
		Description: t.description(),
		InputSchema: input,
		Annotations: annotations(t.Tool),
	}
	if output := outputSchema(t.Output); output != nil {
		described.OutputSchema, t.structured = output, true
	}
	if err := room.take(t.plugin, described); err != nil {
		return err
	}
	s.sdk.AddTool(described, func(ctx context.Context, req *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		return s.callTool(ctx, req, t)
	})
	return nil
}

// room counts what plugins take of a list.
type room map[string]int

func (r room) take(plugin string, described any) error {
	n, err := encodedSize(described)
	if err != nil {
		return err
	}
	if r[plugin]+n > maxListed {
		return fmt.Errorf("the plugin's list would have more than %d bytes", maxListed)
	}
	r[plugin] += n
	return nil
}

// annotations says of a tool what its author or the policy says, and what the
// protocol expects of a tool of which nobody says anything: the worst.
func annotations(t host.Tool) *sdk.ToolAnnotations {
	yes := func(b *bool) bool { return b != nil && *b }
	return &sdk.ToolAnnotations{
		Title:           t.Title,
		ReadOnlyHint:    yes(t.Hints.ReadOnly),
		DestructiveHint: t.Hints.Destructive,
		IdempotentHint:  yes(t.Hints.Idempotent),
		OpenWorldHint:   t.Hints.OpenWorld,
	}
}

// tool is one tool as clients know it.
type tool struct {
	host.Tool
	server     *Server
	plugin     string
	structured bool // an output schema was promised
}

// description is the author's, and whose word it is.
func (t *tool) description() string { return whose(t.Description, t.Name) }

func whose(description, whom string) string {
	return strings.TrimLeft(fmt.Sprintf("%s\n\n(%s, an untrusted plugin in a sandbox.)", strings.TrimRight(description, "\n "), whom), "\n")
}

// untrusted is the _meta of what a plugin says.
func untrusted(plugin string) sdk.Meta {
	return sdk.Meta{metaUntrusted: true, metaPlugin: plugin}
}
