package serve

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Mapping is the content of a sealed memfd, mapped read-only.
type Mapping struct{ bytes []byte }

// Bytes are valid until Close.
func (m *Mapping) Bytes() []byte { return m.bytes }

// Close unmaps.
func (m *Mapping) Close() { _ = unix.Munmap(m.bytes) }

// seals keep everybody from changing the content while it is read, and the file
// from becoming shorter, which would end this process with SIGBUS.
const seals = unix.F_SEAL_WRITE | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW

// MapSealed takes over a descriptor: it checks that it is a sealed memfd of
// that size, maps it and closes it.
func MapSealed(fd int, size uint64) (*Mapping, error) {
	defer unix.Close(fd)
	have, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0)
	if err != nil {
		return nil, fmt.Errorf("descriptor %d is not a memfd: %w", fd, err)
	}
	if have&seals != seals {
		return nil, fmt.Errorf("descriptor %d has the seals %#x (needs %#x)", fd, have, seals)
	}
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return nil, fmt.Errorf("size of descriptor %d: %w", fd, err)
	}
	if uint64(stat.Size) != size || size == 0 {
		return nil, fmt.Errorf("descriptor %d has %d bytes (announced %d)", fd, stat.Size, size)
	}
	b, err := unix.Mmap(fd, 0, int(size), unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("map descriptor %d: %w", fd, err)
	}
	return &Mapping{b}, nil
}
