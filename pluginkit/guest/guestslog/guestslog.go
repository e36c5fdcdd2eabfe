// Package guestslog is a slog.Handler over guest.Log, for tools that log in a structured
// way or use libraries that do:
//
//	slog.SetDefault(guestslog.Logger())
//	slog.Warn("page skipped", "page", 7, slog.Group("http", "status", 404))
//
// The host gets a line: the message, then key=value for each attribute, as guest.Log
// writes them; members of groups have the group's name and a dot before their own. When
// and of which call a line is, the host knows by itself.
//
// It is apart because package log/slog makes a small module a third larger; guest.Log
// does without.
package guestslog

import (
	"context"
	"log/slog"
	"slices"

	"github.com/ringfence/ringfence/pluginkit/guest"
)

// Logger returns a logger of every level. What is shown is the operator's to say.
func Logger() *slog.Logger { return slog.New(NewHandler(nil)) }

// NewHandler returns a handler that drops what is below a level; nil drops nothing. In
// a native plugin, a line belongs to the call that its context belongs to.
func NewHandler(level slog.Leveler) slog.Handler { return &handler{level: level} }

type handler struct {
	level slog.Leveler
	pairs []any  // of WithAttrs: keys and values; it is never written to again
	group string // of WithGroup, with a dot behind each name
}

// Enabled implements slog.Handler.
func (h *handler) Enabled(_ context.Context, l slog.Level) bool {
	return h.level == nil || l >= h.level.Level()
}

// Handle implements slog.Handler.
func (h *handler) Handle(ctx context.Context, r slog.Record) error {
	pairs := slices.Clip(h.pairs)
	r.Attrs(func(a slog.Attr) bool {
		pairs = add(pairs, h.group, a)
		return true
	})
	log(ctx, levelOf(r.Level), r.Message, pairs)
	return nil
}

// levelOf is the level of the host's log at or below one of slog's.
func levelOf(l slog.Level) guest.Level {
	switch {
	case l >= slog.LevelError:
		return guest.LevelError
	case l >= slog.LevelWarn:
		return guest.LevelWarn
	case l >= slog.LevelInfo:
		return guest.LevelInfo
	}
	return guest.LevelDebug
}

// WithAttrs implements slog.Handler.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := *h
	next.pairs = slices.Clip(h.pairs)
	for _, a := range attrs {
		next.pairs = add(next.pairs, h.group, a)
	}
	return &next
}

// WithGroup implements slog.Handler.
func (h *handler) WithGroup(name string) slog.Handler {
	next := *h
	if name != "" {
		next.group += name + "."
	}
	return &next
}

// add appends an attribute, and the members of a group one by one.
func add(pairs []any, group string, a slog.Attr) []any {
	value := a.Value.Resolve()
	switch {
	case a.Key == "" && value.Kind() == slog.KindAny && value.Any() == nil:
		return pairs // slog.Attr{} is no attribute
	case value.Kind() != slog.KindGroup:
		return append(pairs, group+a.Key, value.Any())
	}
	if a.Key != "" {
		group += a.Key + "."
	}
	for _, member := range value.Group() {
		pairs = add(pairs, group, member)
	}
	return pairs
}
