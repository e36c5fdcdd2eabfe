package main

import (
	"encoding/json"
	"runtime"
	rtdebug "runtime/debug"
)

// largeInput is where the collector's usual habits begin to hurt, in bytes.
const largeInput = 4 << 20

// largeTree is tree for inputs that may take half of the guest's memory. The
// returned function restores the collector's settings.
//
// A tree grows without leaving garbage, so collecting while it grows costs
// seconds and frees nothing. What an earlier call left goes first: the heap may
// not have room for two trees. From then on the heap may grow by half of what
// is alive, not by all of it, before the collector works: a policy's limit of
// memory is hard, and the guest cannot find out where it is.
func largeTree(text json.RawMessage) (value any, restore func()) {
	if len(text) < largeInput {
		return tree(text), func() {}
	}
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	if before.HeapAlloc > 2*uint64(len(text)) {
		runtime.GC()
	}
	percent := rtdebug.SetGCPercent(-1)
	value = tree(text)
	rtdebug.SetGCPercent(50)
	return value, func() { rtdebug.SetGCPercent(percent) }
}
