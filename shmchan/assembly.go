package shmchan

// assembly follows a message in fragments. It holds no bytes: memory is granted
// as bytes arrive, so that a declared total costs the one who declares it
// nothing and us neither.
type assembly struct {
	open    bool
	discard bool // our own reader has lost interest
	header  Header
	total   uint64
	got     uint64
}

// assemble fits a descriptor that is more than a message of its own into the
// message it belongs to. again means that there is nothing to give to a reader.
//
// Preconditions: mu is held; raw is what pull just returned.
func (c *Consumer) assemble(raw *frame, f *Frame) (again bool, err error) {
	m := &c.message
	switch raw.flags {
	case flagTotal, flagSwitch:
		if m.open {
			return false, c.ch.fail(&ViolationError{What: "flags of a descriptor in the middle of a message", Got: uint64(raw.flags), Limit: uint64(flagMore)})
		}
		if raw.flags == flagSwitch {
			return true, c.follow()
		}
		if raw.total == 0 {
			return false, c.ch.fail(&ViolationError{What: "declared total of a message in fragments (at least 1)", Got: 0, Limit: 1})
		}
		*m = assembly{open: true, header: raw.header, total: raw.total}
		f.ring.skip()
		return true, nil
	case flagAbort:
		if !m.open {
			return false, c.ch.fail(&ViolationError{What: "abort of a message that has not begun", Got: uint64(raw.flags), Limit: 0})
		}
		discard := m.discard
		*m = assembly{}
		f.ring.skip()
		if discard {
			return true, nil
		}
		return false, ErrAborted
	}
	if err := m.fragment(raw); err != nil {
		return false, c.ch.fail(err)
	}
	f.offset, f.total = int64(m.got), int64(m.total)
	m.got += raw.length
	discard := m.discard
	if raw.flags == 0 {
		*m = assembly{}
	}
	if discard {
		return true, f.ring.release(f.seq)
	}
	return false, nil
}

// fragment checks that a descriptor is the next piece of the message.
func (m *assembly) fragment(raw *frame) error {
	if !m.open {
		return &ViolationError{What: "fragment of a message that has not begun", Got: raw.length, Limit: 0}
	}
	if raw.header != m.header {
		return &ViolationError{What: "header of a fragment (must be its message's)", Got: packHeader(raw.header, 0), Limit: packHeader(m.header, 0)}
	}
	left := m.total - m.got
	switch last := raw.flags == 0; {
	case raw.length > left, last && raw.length < left:
		return &ViolationError{What: "length of a fragment (of what the declared total leaves)", Got: raw.length, Limit: left}
	case raw.length == 0, !last && raw.length == left:
		// Pieces that carry nothing would keep a reader busy for ever without
		// ever running into its deadline.
		return &ViolationError{What: "length of a fragment (each must bring the message on)", Got: raw.length, Limit: left - 1}
	}
	return nil
}
