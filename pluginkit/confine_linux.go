//go:build amd64 || arm64

package pluginkit

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/internal/seccomp"
)

// opaque keeps other processes of the same uid from attaching to this one and
// from reading its memory. No trampoline can do it, since exec makes a process
// dumpable again; and the filter refuses to take it back.
func opaque() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("prctl PR_SET_DUMPABLE: %w", err)
	}
	return nil
}

// confine gives up what it took to start, for good.
func confine() error { return seccomp.Native.Install(seccomp.Two) }
