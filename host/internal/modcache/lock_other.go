//go:build !unix

package modcache

import (
	"context"
	"errors"
)

// Lock reports that file locks are not supported on this system.
func (*Cache) Lock(context.Context, Key) (func(), error) {
	return nil, errors.New("file locks are not supported on this system")
}
