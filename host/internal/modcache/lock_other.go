//go:build !unix

package modcache

import (
	"context"
	"errors"
	"os"
)

var errNoLocks = errors.New("file locks are not supported on this system")

// Lock reports that file locks are not supported on this system.
func (*Cache) Lock(context.Context, Key) (func(), error) {
	return nil, errNoLocks
}

func tryLock(*os.File) (bool, error) { return false, errNoLocks }
