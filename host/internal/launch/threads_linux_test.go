package launch

import (
	"runtime"
	"sync"
)

// endThreads starts n goroutines that take an operating-system thread each and
// let it end with them.
func endThreads(n int) {
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() { runtime.LockOSThread() })
	}
	wg.Wait()
}
