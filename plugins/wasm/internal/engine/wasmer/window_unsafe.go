package wasmer

import (
	"fmt"
	"os"
	"slices"
	"unsafe"

	"github.com/ringfence/ringfence/plugins/wasm/internal/engine"
	"golang.org/x/sys/unix"
)

var _ engine.Windower = (*Instance)(nil)

// Window implements engine.Windower. The engine reserves the whole range that a
// memory can grow to and never moves it, so a mapping stays where it is put; and
// it takes a fault in that range for an access out of bounds.
func (i *Instance) Window(offset, n uint64, fd uintptr, at int64, writable bool) error {
	prot := unix.PROT_READ
	if writable {
		prot |= unix.PROT_WRITE
	}
	if err := i.remap(offset, n, int(fd), at, prot, unix.MAP_SHARED|unix.MAP_FIXED); err != nil {
		return fmt.Errorf("map a window of %d bytes at %d: %w", n, offset, err)
	}
	if !writable {
		i.memory.locked = append(i.memory.locked, span{offset, n})
	}
	return nil
}

// Restore implements engine.Windower.
func (i *Instance) Restore(offset, n uint64) error {
	err := i.remap(offset, n, -1, 0, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_FIXED|unix.MAP_NORESERVE)
	if err != nil {
		return fmt.Errorf("unmap a window of %d bytes at %d: %w", n, offset, err)
	}
	i.memory.locked = slices.DeleteFunc(i.memory.locked, func(s span) bool { return s == span{offset, n} })
	return nil
}

// remap changes what lies behind a part of the memory.
//
// MAP_FIXED replaces whatever is there, so an address that is off by a byte would
// be a hole in this process: every number is checked here once more.
func (i *Instance) remap(offset, n uint64, fd int, at int64, prot, flags int) error {
	page := uint64(os.Getpagesize())
	if offset%page != 0 || n%page != 0 || n == 0 || at < 0 || uint64(at)%page != 0 {
		return fmt.Errorf("%w: not whole pages", unix.EINVAL)
	}
	data, ok := i.memory.at(offset, n)
	if !ok {
		return fmt.Errorf("%w: outside of the memory of %d bytes", unix.EINVAL, i.memory.Size())
	}
	base := unsafe.Pointer(unsafe.SliceData(data))
	if uintptr(base)%uintptr(page) != 0 {
		return fmt.Errorf("%w: the memory is not aligned", unix.EINVAL)
	}
	got, err := unix.MmapPtr(fd, at, base, uintptr(n), prot, flags)
	if err == nil && got != base {
		err = fmt.Errorf("%w: mapped elsewhere", unix.EINVAL)
	}
	return err
}
