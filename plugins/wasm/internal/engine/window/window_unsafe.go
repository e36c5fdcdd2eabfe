// Package window changes what lies behind pages of a guest's memory: those of a
// file in place of its own. It serves any engine whose memory stays where it is.
package window

import (
	"fmt"
	"os"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Windows are those of one memory. The zero value has none.
type Windows struct {
	// locked are those that cannot be written: a host function that did would die
	// of it, where the guest has a name for what happened.
	locked []span
}

// span is a range of the memory.
type span struct{ offset, n uint64 }

func (s span) overlaps(offset, n uint64) bool {
	return offset < s.offset+s.n && s.offset < offset+n
}

// Locked reports whether a part of the range cannot be written.
func (w *Windows) Locked(offset, n uint64) bool {
	return slices.ContainsFunc(w.locked, func(s span) bool { return s.overlaps(offset, n) })
}

// Map puts n bytes of a file, from offset at of it, in the place of the memory's
// own at offset.
func (w *Windows) Map(memory []byte, offset, n uint64, fd uintptr, at int64, writable bool) error {
	prot := unix.PROT_READ
	if writable {
		prot |= unix.PROT_WRITE
	}
	if err := remap(memory, offset, n, int(fd), at, prot, unix.MAP_SHARED|unix.MAP_FIXED); err != nil {
		return fmt.Errorf("map a window of %d bytes at %d: %w", n, offset, err)
	}
	if !writable {
		w.locked = append(w.locked, span{offset, n})
	}
	return nil
}

// Restore puts memory of its own back, which is zero.
func (w *Windows) Restore(memory []byte, offset, n uint64) error {
	err := remap(memory, offset, n, -1, 0, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_FIXED|unix.MAP_NORESERVE)
	if err != nil {
		return fmt.Errorf("unmap a window of %d bytes at %d: %w", n, offset, err)
	}
	w.locked = slices.DeleteFunc(w.locked, func(s span) bool { return s == span{offset, n} })
	return nil
}

// remap changes what lies behind a part of the memory.
//
// MAP_FIXED replaces whatever is there, so an address that is off by a byte would
// be a hole in this process: every number is checked here once more.
func remap(memory []byte, offset, n uint64, fd int, at int64, prot, flags int) error {
	page := uint64(os.Getpagesize())
	if offset%page != 0 || n%page != 0 || n == 0 || at < 0 || uint64(at)%page != 0 {
		return fmt.Errorf("%w: not whole pages", unix.EINVAL)
	}
	if size := uint64(len(memory)); offset > size || n > size-offset {
		return fmt.Errorf("%w: outside of the memory of %d bytes", unix.EINVAL, size)
	}
	base := unsafe.Pointer(unsafe.SliceData(memory[offset:]))
	if uintptr(base)%uintptr(page) != 0 {
		return fmt.Errorf("%w: the memory is not aligned", unix.EINVAL)
	}
	got, err := unix.MmapPtr(fd, at, base, uintptr(n), prot, flags)
	if err == nil && got != base {
		err = fmt.Errorf("%w: mapped elsewhere", unix.EINVAL)
	}
	return err
}
