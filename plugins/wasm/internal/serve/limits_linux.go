package serve

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Limits are what a process may use from now on, in bytes and descriptors.
type Limits struct {
	Data  uint64 // RLIMIT_DATA: what counts, private memory that may be written
	Space uint64 // RLIMIT_AS: the wall behind it, since memory of other kinds has page tables too
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
	// compileSpace is the address space that a compiler needs beside its data:
	// reserved heaps, libraries, stacks. Code that it has made is not data.
	compileSpace = 8 << 30
	// runSpace is what guests need: an engine reserves 6 GiB for a memory, and
	// the next one may come before the last is gone. What can be mapped without
	// being data costs page tables at most, a 512th of this.
	runSpace = 48 << 30
	// maxFiles is more than the process has open: the pipes and sockets of
	// go-plugin and the runtime's own.
	maxFiles = 64
)

func compileLimits(memory uint64) Limits {
	return Limits{Data: memory, Space: memory + compileSpace, Files: maxFiles}
}

// runLimits are the limits while guests run. There is one instance at a time,
// so the guest's memory counts once; loading holds the code twice.
func runLimits(guestMemory, artifact uint64) Limits {
	data := runtimeData + slackData + wearData + guestMemory + 2*artifact
	return Limits{Data: data, Space: data + runSpace, Files: maxFiles}
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
		{"RLIMIT_AS", unix.RLIMIT_AS, l.Space},
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
