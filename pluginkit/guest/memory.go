package guest

// maxAlign is the size of a WebAssembly page, the largest alignment a host may ask for.
const maxAlign = 65536

// buffers holds the memory that was handed to the host. Go's collector does
// not move what it manages, and does not free what is in the map.
type buffers struct {
	live map[uintptr][]byte // by address, at least one byte each
}

// alloc returns the address of size bytes that nothing else will use until
// free, or 0. Preconditions: align is a power of two up to maxAlign.
//
// A Go guest that runs out of memory ends with a trap; it cannot return 0 for that.
func (b *buffers) alloc(size, align uint32) uintptr {
	if align == 0 || align&(align-1) != 0 || align > maxAlign || size > 1<<31 {
		return 0
	}
	size = max(size, 1)
	// Large memory comes aligned more often than not, so waste none at first.
	buffer := make([]byte, size)
	if address(buffer)%uintptr(align) != 0 {
		buffer = make([]byte, size+align-1)
		skip := -address(buffer) % uintptr(align)
		buffer = buffer[skip : skip+uintptr(size) : skip+uintptr(size)]
	}
	if b.live == nil {
		b.live = map[uintptr][]byte{}
	}
	b.live[address(buffer)] = buffer
	return address(buffer)
}

// free gives a buffer back. Only the host calls it, so an address that alloc
// did not return is the host's mistake and ends the instance.
func (b *buffers) free(at uintptr) {
	if _, ok := b.live[at]; !ok {
		panic("guest: the host freed memory that it does not hold")
	}
	delete(b.live, at)
}

// view returns length bytes at an address inside one live buffer.
func (b *buffers) view(at uintptr, length uint32) ([]byte, bool) {
	if length == 0 {
		return nil, true
	}
	for start, buffer := range b.live {
		if at >= start && at-start <= uintptr(len(buffer)) && uintptr(length) <= uintptr(len(buffer))-(at-start) {
			return buffer[at-start:][:length:length], true
		}
	}
	return nil, false
}
