package launch

import (
	"runtime"
	"sync"
)

// endThreads takes n operating-system threads at once, which must include all
// idle ones, and lets them end.
func endThreads(n int) {
	var locked, ended sync.WaitGroup
	locked.Add(n)
	for range n {
		ended.Go(func() {
			runtime.LockOSThread()
			locked.Done()
			locked.Wait()
		})
	}
	ended.Wait()
}
