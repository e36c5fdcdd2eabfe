package shmchan

import "sync/atomic"

// pair is one epoch's memory as one end sees it: the region it writes and the
// region its peer writes.
type pair struct {
	epoch   uint64
	creator bool
	heap    bool // Pipe: both ends in one process
	geo     *geometry
	out, in *region

	refs atomic.Int32 // ring ends that still use it
}

func newPair(epoch uint64, creator bool, g *geometry, out, in *region) *pair {
	p := &pair{epoch: epoch, creator: creator, geo: g, out: out, in: in, heap: out.unmap == nil}
	p.refs.Store(int32(2 * len(g.out)))
	return p
}

func (p *pair) outRings() []ringGeometry {
	if p.creator {
		return p.geo.out
	}
	return p.geo.in
}

func (p *pair) inRings() []ringGeometry {
	if p.creator {
		return p.geo.in
	}
	return p.geo.out
}

// drop is called once by each ring end when it touches the memory no more. The
// last one unmaps it.
func (p *pair) drop() {
	if p.refs.Add(-1) == 0 {
		_ = p.out.close()
		_ = p.in.close()
	}
}

// verify compares both headers with what was agreed and with each other, and
// gives the epoch.
func verify(out, in *region, g *geometry, creator bool) (uint64, error) {
	a, b := out, in // as the creator sees them
	if !creator {
		a, b = in, out
	}
	epoch, err := a.checkHeader(roleCreator, g.out)
	if err != nil {
		return 0, err
	}
	other, err := b.checkHeader(roleAttacher, g.in)
	if err == nil && other != epoch {
		err = &ViolationError{What: "epoch of the second region", Got: other, Limit: epoch}
	}
	return epoch, err
}
