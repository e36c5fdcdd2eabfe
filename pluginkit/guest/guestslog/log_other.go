//go:build !wasip1

package guestslog

import (
	"context"

	"github.com/ringfence/ringfence/pluginkit/guest"
)

func log(ctx context.Context, level guest.Level, message string, pairs []any) {
	guest.LogContext(ctx, level, message, pairs...)
}
