//go:build !unix

package workspace

import (
	"context"
	"os"
)

// turnsOfHost are a workspace's own: here a folder has no number by which two would know
// that they have the same.
func turnsOfHost() *turns { return new(turns) }

// lock lets one change at a time of this host into the workspace; others are not
// kept out.
func (w *Workspace) lock(ctx context.Context, _ ...*os.Root) (unlock func(), err error) {
	return w.turns.take(ctx, identifier{})
}
