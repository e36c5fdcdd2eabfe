package shmchan

import (
	"fmt"
	"os"
	"sync/atomic"
)

// region is one memory file as this process sees it: its own, writable, or the
// peer's, which the kernel lets it only read.
type region struct {
	mem   []byte
	unmap func() error // nil: heap
	huge  bool         // backed by 2 MiB pages
}

func (r *region) close() error {
	if r.unmap == nil {
		return nil
	}
	mem, unmap := r.mem, r.unmap
	r.mem, r.unmap = nil, nil
	_ = mem
	return unmap()
}

// heapRegion serves Pipe: both ends see the same slice.
func heapRegion(size int64) *region { return &region{mem: heapWords(size)} }

// writeHeader fills in what never changes. Both regions get theirs from the
// creator, before the peer can see either.
func (r *region) writeHeader(who role, epoch uint64, rings []ringGeometry) {
	set := func(off int, v uint64) { wordAt(r.mem, off).Store(v) }
	set(offVersion, layoutVersion)
	set(offPageSize, uint64(os.Getpagesize()))
	set(offEpoch, epoch)
	set(offLanes, uint64(len(rings)))
	set(offSize, uint64(len(r.mem)))
	set(offRole, uint64(who))
	for i := range rings {
		set(laneBase(i)+offSlots, uint64(rings[i].slots))
		set(laneBase(i)+offData, uint64(rings[i].data))
	}
	set(offMagic, magic)
}

// checkHeader compares the header with what was agreed and returns the epoch.
// The numbers in it are only compared, never used: sizes and offsets come from
// the configuration, so a header that changes later changes nothing.
func (r *region) checkHeader(who role, rings []ringGeometry) (epoch uint64, err error) {
	check := func(what string, off int, want uint64) {
		if got := wordAt(r.mem, off).Load(); got != want && err == nil {
			err = &ViolationError{What: what + " in the header", Got: got, Limit: want}
		}
	}
	check("magic", offMagic, magic)
	check("layout version", offVersion, layoutVersion)
	check("page size", offPageSize, uint64(os.Getpagesize()))
	check("number of lanes", offLanes, uint64(len(rings)))
	check("region size", offSize, uint64(len(r.mem)))
	check("role", offRole, uint64(who))
	for i := range rings {
		check(fmt.Sprintf("slots of lane %d", i), laneBase(i)+offSlots, uint64(rings[i].slots))
		check(fmt.Sprintf("data area of lane %d", i), laneBase(i)+offData, uint64(rings[i].data))
	}
	epoch = wordAt(r.mem, offEpoch).Load()
	if epoch == 0 && err == nil {
		err = &ViolationError{What: "epoch in the header", Got: 0, Limit: 1}
	}
	return epoch, err
}

func (r *region) counter(lane, off int) *atomic.Uint64 { return wordAt(r.mem, laneBase(lane)+off) }
func (r *region) flag(lane, off int) *atomic.Uint32    { return flagAt(r.mem, laneBase(lane)+off) }

// area is the data area of a ring, with its capacity cut, so that no slice of
// it can reach into what lies behind.
func (r *region) area(g *ringGeometry) []byte {
	return r.mem[g.dataOff : g.dataOff+g.data : g.dataOff+g.data]
}
