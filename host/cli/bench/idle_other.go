//go:build !linux

package bench

import "context"

// measureIdle measures nothing: sandboxes run on Linux only.
func (*bench) measureIdle(context.Context) (*Idle, error) { return nil, nil }
