//go:build unix

package beacon

import (
	"errors"
	"io/fs"
	"syscall"
)

// dead tells a host that is gone from one that does not answer.
func dead(err error) bool {
	return errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist)
}
