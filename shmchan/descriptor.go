package shmchan

// A descriptor is four words:
//
//	0  offset of the bytes in the data area; of a prologue: the declared total
//	1  length
//	2  kind (8 bits), flags (8), zero (16), call (32)
//	3  sequence: 1 for the first of an epoch, then without gaps

// Header is what travels with a message besides its bytes. The channel gives
// it no meaning.
type Header struct {
	Kind uint8
	Call uint32
}

// flags of a descriptor. At most one is set.
type flags uint8

const (
	// flagTotal opens a message in fragments: no bytes, but the total to come.
	flagTotal flags = 1 << iota
	// flagMore marks a fragment that others follow.
	flagMore
	// flagAbort ends a message in fragments before its total was reached.
	flagAbort
	// flagSwitch is the last descriptor of an epoch on its ring.
	flagSwitch
)

// frame is a descriptor that has been checked. Nothing else in this package may
// use numbers of a peer's descriptor.
type frame struct {
	offset, length uint64 // within the data area; both 0 unless data()
	total          uint64 // of a prologue
	header         Header
	flags          flags
}

// data reports whether the frame carries bytes of a message.
func (f *frame) data() bool { return f.flags&^flagMore == 0 }

func packHeader(h Header, f flags) uint64 {
	return uint64(h.Kind) | uint64(f)<<8 | uint64(h.Call)<<32
}

func (s *ownSlot) set(offset, length, header, seq uint64) {
	s.word[0], s.word[1], s.word[2], s.word[3] = offset, length, header, seq
}

// decode loads each word of the peer's descriptor once and checks it. The peer
// may rewrite the slot meanwhile; what was loaded is what was checked, and only
// that is passed on.
//
// Preconditions: seq is the sequence number due in this slot.
func (s *peerSlot) decode(seq uint64, g *ringGeometry, f *frame) error {
	return f.check(s.word[0].Load(), s.word[1].Load(), s.word[2].Load(), s.word[3].Load(), seq, g)
}

// check fills f in. On an error its content means nothing.
func (f *frame) check(offset, length, header, got, seq uint64, g *ringGeometry) error {
	*f = frame{flags: flags(header >> 8), header: Header{Kind: uint8(header), Call: uint32(header >> 32)}}
	size := uint64(g.data)
	// A gap or a step back: a frame replayed, skipped, or never written.
	if got != seq {
		return &ViolationError{What: "sequence of a descriptor (must follow without a gap)", Got: got, Limit: seq}
	}
	if reserved := header >> 16 & 0xffff; reserved != 0 {
		return &ViolationError{What: "reserved bits of a descriptor", Got: reserved, Limit: 0}
	}
	if f.flags == 0 || f.flags == flagMore {
		// Subtraction, not addition: offset+length could overflow and pass.
		if length > size/2 {
			return &ViolationError{What: "length of a descriptor (at most half the data area)", Got: length, Limit: size / 2}
		}
		if offset > size-length {
			return &ViolationError{What: "offset of a descriptor plus its length (beyond the data area)", Got: offset, Limit: size - length}
		}
		if offset%dataAlign != 0 {
			return &ViolationError{What: "alignment of a descriptor's offset", Got: offset % dataAlign, Limit: 0}
		}
		f.offset, f.length = offset, length
		return nil
	}
	return f.control(offset, length, g)
}

// control checks a descriptor that carries no bytes.
func (f *frame) control(offset, length uint64, g *ringGeometry) error {
	if length != 0 {
		return &ViolationError{What: "length of a descriptor without bytes", Got: length, Limit: 0}
	}
	switch f.flags {
	case flagTotal:
		if offset > uint64(g.maxMessage) {
			return &ViolationError{What: "declared total of a message", Got: offset, Limit: uint64(g.maxMessage)}
		}
		f.total = offset
	case flagAbort, flagSwitch:
		if offset != 0 {
			return &ViolationError{What: "offset of a descriptor without bytes", Got: offset, Limit: 0}
		}
	default:
		return &ViolationError{What: "flags of a descriptor", Got: uint64(f.flags), Limit: uint64(flagSwitch)}
	}
	return nil
}
