package guestslog

import (
	"context"

	"github.com/ringfence/ringfence/pluginkit/guest"
)

// An instance runs one call at a time, and no context says which.
func log(_ context.Context, level guest.Level, message string, pairs []any) {
	guest.Log(level, message, pairs...)
}
