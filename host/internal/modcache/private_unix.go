//go:build unix

package modcache

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// noWait opens neither what a link leads to nor, for ever, a pipe.
const noWait = unix.O_NOFOLLOW | unix.O_NONBLOCK

// checkOwner refuses what another user owns: a key that somebody else has made
// is known to somebody else.
func checkOwner(path string, info fs.FileInfo) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if me := os.Geteuid(); !ok || int(st.Uid) != me {
		return fmt.Errorf("%s belongs to another user than uid %d: remove it and start again", path, me)
	}
	return nil
}
