package shmchan

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// usableCPUs counts the CPUs that this process may run on now. A sandbox that
// may not ask gets the answer from its start.
func usableCPUs() int {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return runtime.NumCPU()
	}
	return set.Count()
}
