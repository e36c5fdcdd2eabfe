package serve

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Limits are what a process may use from now on, in bytes and descriptors.
type Limits struct {
	Data  uint64 // RLIMIT_DATA; address space cannot be limited, an engine reserves 6 GiB a memory
	Files uint64 // RLIMIT_NOFILE
}

const (
	// runtimeData is what Go, gRPC, the engine and their threads take: Go maps
	// its heap in pieces of 64 MiB.
	runtimeData = 96 << 20
	// slackData is room for messages under way and for the C allocator.
	slackData = 64 << 20
	// wearData is what engines keep of each instance until they say that they
	// are worn, and what is left of stack overflows.
	wearData = 128<<20 + maxOverflows*8<<20
	// maxFiles is more than the process has open: the pipes and sockets of
	// go-plugin and the runtime's own.
	maxFiles = 64
)

func compileLimits(memory uint64) Limits { return Limits{Data: memory, Files: maxFiles} }

// runLimits are the limits while guests run. There is one instance at a time,
// so the guest's memory counts once; loading holds the code twice.
func runLimits(guestMemory, artifact uint64) Limits {
	return Limits{Data: runtimeData + slackData + wearData + guestMemory + 2*artifact, Files: maxFiles}
}

// Lower sets limits for this process, soft and hard, so that they cannot be
// raised again. No core is ever dumped: it would hold the guest's data.
func Lower(l Limits) error {
	for _, one := range []struct {
		name     string
		resource int
		value    uint64
	}{
		{"RLIMIT_CORE", unix.RLIMIT_CORE, 0},
		{"RLIMIT_NOFILE", unix.RLIMIT_NOFILE, l.Files},
		{"RLIMIT_DATA", unix.RLIMIT_DATA, l.Data},
	} {
		var now unix.Rlimit
		// prlimit both ways: the filter has no other call for it.
		if err := unix.Prlimit(0, one.resource, nil, &now); err != nil {
			return fmt.Errorf("%s: %w", one.name, err)
		}
		v := min(one.value, now.Max) // a jail may have set a lower one
		if err := unix.Prlimit(0, one.resource, &unix.Rlimit{Cur: v, Max: v}, nil); err != nil {
			return fmt.Errorf("%s to %d: %w", one.name, v, err)
		}
	}
	return nil
}
