package window

// Access is the host's access to a linear memory, of which some of engine.Memory
// is made. The zero value is an empty one.
type Access struct {
	// Data is all of the memory as it is now: the guest may have grown it since the
	// last time. Its address never changes.
	Data func() []byte
	Windows
}

// All is all of the memory.
func (a *Access) All() []byte {
	if a.Data == nil {
		return nil
	}
	return a.Data()
}

// Read copies n bytes at offset, or reports that they are out of bounds.
func (a *Access) Read(offset, n uint64) ([]byte, bool) {
	data, ok := a.at(offset, n)
	if !ok {
		return nil, false
	}
	return append([]byte(nil), data...), true
}

// ReadInto copies len(b) bytes at offset to b, or reports that they are out of
// bounds.
func (a *Access) ReadInto(offset uint64, b []byte) bool {
	data, ok := a.at(offset, uint64(len(b)))
	if ok {
		copy(b, data)
	}
	return ok
}

// Write copies b to offset, or reports that it does not fit or is in a window that
// cannot be written.
func (a *Access) Write(offset uint64, b []byte) bool {
	if a.Locked(offset, uint64(len(b))) {
		return false
	}
	data, ok := a.at(offset, uint64(len(b)))
	if ok {
		copy(data, b)
	}
	return ok
}

func (a *Access) at(offset, n uint64) ([]byte, bool) {
	data := a.All()
	size := uint64(len(data))
	if offset > size || n > size-offset {
		return nil, false
	}
	return data[offset : offset+n], true
}
