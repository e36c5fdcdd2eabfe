package wazero

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// linear is a linear memory that never moves: the range that it may grow to is
// reserved, and what it has grown to can be used. Growing touches only what is
// new, so windows behind pages that are there stay what they are.
type linear struct {
	reserved []byte
	size     uint64
	err      error // why there is none
}

// reserve takes the range, of which nothing can be used yet.
func (l *linear) reserve(most uint64) {
	if most == 0 {
		return
	}
	l.reserved, l.err = unix.Mmap(-1, 0, int(most), unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE)
	if l.err != nil {
		l.err = fmt.Errorf("reserve %d bytes: %w", most, l.err)
	}
}

// Reallocate implements experimental.LinearMemory. nil lets memory.grow fail.
func (l *linear) Reallocate(size uint64) []byte {
	if size > uint64(len(l.reserved)) || size < l.size {
		return nil
	}
	if more := l.reserved[l.size:size]; len(more) > 0 {
		if err := unix.Mprotect(more, unix.PROT_READ|unix.PROT_WRITE); err != nil {
			if l.size == 0 {
				l.err = fmt.Errorf("use %d bytes: %w", size, err)
			}
			return nil
		}
	}
	l.size = size
	return l.reserved[:size]
}

// Free implements experimental.LinearMemory.
func (l *linear) Free() {
	if l.reserved != nil {
		_ = unix.Munmap(l.reserved)
		l.reserved, l.size = nil, 0
	}
}

// data is what can be used now.
func (l *linear) data() []byte { return l.reserved[:l.size] }
