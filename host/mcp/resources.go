package mcp

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/yosida95/uritemplate/v3"

	"github.com/ringfence/ringfence/host"
)

// schemes says which plugin has which scheme: the first in the policy's order. A
// template of one plugin could otherwise answer for what another offers.
func (s *Server) schemes() map[string]string {
	owner := map[string]string{}
	for _, plugin := range s.plugins {
		offer := s.offers[plugin]
		for _, r := range append(slices.Clone(offer.Resources), offer.Templates...) {
			if _, taken := owner[r.Scheme()]; !taken {
				owner[r.Scheme()] = plugin
			}
		}
	}
	return owner
}

// offerResources brings the lists of resources and templates in line with the
// offers. The caller holds mu.
func (s *Server) offerResources() {
	owner := s.schemes()
	resources, templates, room := map[string]bool{}, map[string]bool{}, room{}
	for _, plugin := range s.plugins {
		for _, r := range s.offers[plugin].Resources {
			if s.owns(owner, plugin, r) && s.protected(r.URI, func() error { return s.addResource(plugin, r, room) }) {
				resources[r.URI] = true
			}
		}
		for _, r := range s.offers[plugin].Templates {
			if s.owns(owner, plugin, r) && s.protected(r.URI, func() error { return s.addTemplate(plugin, r, room) }) {
				templates[r.URI] = true
			}
		}
	}
	s.sdk.RemoveResources(without(s.offered.resources, resources)...)
	s.sdk.RemoveResourceTemplates(without(s.offered.templates, templates)...)
	s.offered.resources, s.offered.templates = resources, templates
}

// without lists what was and is not any more.
func without(was, is map[string]bool) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(was)), func(name string) bool { return is[name] })
}

func (s *Server) owns(owner map[string]string, plugin string, r host.Resource) bool {
	if owner[r.Scheme()] == plugin {
		return true
	}
	s.opts.Logger.Error("a resource is not offered: another plugin has its scheme", "plugin", plugin, "uri", r.URI, "owner", owner[r.Scheme()])
	return false
}

// protected adds something to the protocol's server, which panics at what it does
// not like.
func (s *Server) protected(name string, add func() error) (ok bool) {
	defer func() {
		if p := recover(); p != nil {
			s.opts.Logger.Error("not offered", "name", name, "error", fmt.Sprintf("%.300v", p))
		}
	}()
	if err := add(); err != nil {
		s.opts.Logger.Error("not offered", "name", name, "error", err)
		return false
	}
	return true
}

func (s *Server) addResource(plugin string, r host.Resource, room room) error {
	described := &sdk.Resource{
		Meta: untrusted(plugin), URI: r.URI, Name: r.Name, Title: r.Title, Description: whose(r.Description, plugin), MIMEType: r.MIMEType,
	}
	if err := room.take(plugin, described); err != nil {
		return err
	}
	s.sdk.AddResource(described, func(ctx context.Context, req *sdk.ReadResourceRequest) (*sdk.ReadResourceResult, error) {
		return s.readResource(ctx, req, plugin, "", nil)
	})
	return nil
}

func (s *Server) addTemplate(plugin string, r host.Resource, room room) error {
	template, err := uritemplate.New(r.URI)
	if err != nil {
		return err
	}
	described := &sdk.ResourceTemplate{
		Meta: untrusted(plugin), URITemplate: r.URI, Name: r.Name, Title: r.Title, Description: whose(r.Description, plugin), MIMEType: r.MIMEType,
	}
	if err := room.take(plugin, described); err != nil {
		return err
	}
	s.sdk.AddResourceTemplate(described, func(ctx context.Context, req *sdk.ReadResourceRequest) (*sdk.ReadResourceResult, error) {
		variables := map[string]string{}
		for name, v := range template.Match(req.Params.URI) {
			variables[name] = v.String()
		}
		return s.readResource(ctx, req, plugin, r.URI, variables)
	})
	return nil
}

func (s *Server) readResource(ctx context.Context, req *sdk.ReadResourceRequest, plugin, template string, variables map[string]string) (*sdk.ReadResourceResult, error) {
	var all []host.Contents
	from := asker{req.Session, req.Extra, req.Params.GetProgressToken()}
	err := s.ask(ctx, from, plugin, plugin, func(ctx context.Context, caller host.Caller) (err error) {
		all, err = s.host.Read(ctx, plugin, req.Params.URI, template, variables, caller)
		return err
	})
	if err != nil {
		return nil, protocolError(err)
	}
	out := &sdk.ReadResourceResult{Meta: untrusted(plugin), Contents: []*sdk.ResourceContents{}}
	for _, r := range all {
		out.Contents = append(out.Contents, resourceContents(r))
	}
	if err := fits(out); err != nil {
		return nil, protocolError(err)
	}
	return out, nil
}

// subscribe lets a client watch what is offered; nothing else changes.
func (s *Server) subscribe(_ context.Context, req *sdk.SubscribeRequest) error {
	if !s.watchable(req.Params.URI) {
		return sdk.ResourceNotFoundError(req.Params.URI)
	}
	live := map[*sdk.ServerSession]bool{}
	for session := range s.sdk.Sessions() {
		live[session] = true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.watching, func(session *sdk.ServerSession, _ map[string]bool) bool {
		return !live[session] && session != req.Session
	})
	uris := s.watching[req.Session]
	if len(uris) >= maxWatched && !uris[req.Params.URI] {
		return &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams, Message: fmt.Sprintf("this session watches %d resources already, as many as it may: unsubscribe from some", maxWatched)}
	}
	if uris == nil {
		uris = map[string]bool{}
		s.watching[req.Session] = uris
	}
	uris[req.Params.URI] = true
	return nil
}

func (s *Server) unsubscribe(_ context.Context, req *sdk.UnsubscribeRequest) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.watching[req.Session], req.Params.URI)
	return nil
}

func (s *Server) watchable(uri string) bool {
	if len(uri) > longestURI {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.offered.resources[uri] {
		return true
	}
	for template := range s.offered.templates {
		if t, err := uritemplate.New(template); err == nil && t.Match(uri) != nil {
			return true
		}
	}
	return false
}

// updated tells clients that a plugin's resource has changed, if it is its own.
func (s *Server) updated(plugin, uri string) {
	s.mu.Lock()
	scheme := host.Resource{URI: uri}.Scheme()
	own := s.schemes()[scheme] == plugin
	s.mu.Unlock()
	if own {
		_ = s.sdk.ResourceUpdated(s.ctx, &sdk.ResourceUpdatedNotificationParams{URI: uri})
	}
}
