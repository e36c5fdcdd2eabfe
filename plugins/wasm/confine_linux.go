package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/internal/seccomp"
)

// confine makes the process opaque and puts a stage of the filter in force.
//
// Another process of the same uid could else attach to it, or read its memory
// and its /proc: another sandbox, where a machine gives no uid to each. No
// trampoline can do this, since exec makes a process dumpable again; and stage
// one refuses to undo it.
func confine(stage seccomp.Stage) error {
	if stage == seccomp.One {
		if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
			return fmt.Errorf("prctl PR_SET_DUMPABLE: %w", err)
		}
	}
	if stage == seccomp.One && os.Getenv(seccomp.NoticeEnv) != "" {
		return seccomp.WASM.InstallForHost(stage)
	}
	return seccomp.WASM.Install(stage)
}
