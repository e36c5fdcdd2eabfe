package shmchan

import "runtime"

// cpuCount remembers on how many CPUs the two ends can run at the same time.
type cpuCount struct {
	n    int
	next int64
}

// count asks the system again every recountCPUs: a process may be pinned while
// it runs. Both ends of a Pipe share one process and so its GOMAXPROCS too.
func (c *cpuCount) count(now int64, oneProcess bool) int {
	if now >= c.next {
		c.n = usableCPUs()
		if oneProcess {
			c.n = min(c.n, runtime.GOMAXPROCS(0))
		}
		c.next = now + int64(recountCPUs)
	}
	return c.n
}
