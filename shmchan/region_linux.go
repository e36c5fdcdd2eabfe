package shmchan

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

const (
	// sealsCreator is what the creator's region carries: nobody can shrink it
	// under a reader (SIGBUS), grow it, map it writable any more, or add
	// F_SEAL_WRITE later to lock its owner out.
	sealsCreator = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_FUTURE_WRITE | unix.F_SEAL_SEAL
	// sealsAttacher is the same without FUTURE_WRITE: the attacher must map it.
	sealsAttacher = unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_SEAL
)

// createFiles makes the two memory files of a pair, filled in and sealed, and
// maps them for the creator. The files are close-on-exec; nothing has a name,
// so nothing is left behind however the processes end.
func createFiles(g *geometry, epoch uint64) (out, in *region, files [2]*os.File, err error) {
	defer func() {
		if err != nil {
			closeAll(files, out, in)
		}
	}()
	if files[0], out, err = createFile("shmchan-out", g.outSize, g.huge); err != nil {
		return nil, nil, files, err
	}
	out.writeHeader(roleCreator, epoch, g.out)
	// The writable mapping exists; from here on there will be no other.
	if err = seal(files[0], sealsCreator); err != nil {
		return nil, nil, files, err
	}

	var writable *region
	if files[1], writable, err = createFile("shmchan-in", g.inSize, g.huge); err != nil {
		return nil, nil, files, err
	}
	writable.writeHeader(roleAttacher, epoch, g.in)
	if err = writable.close(); err != nil {
		return nil, nil, files, err
	}
	if err = seal(files[1], sealsAttacher); err != nil {
		return nil, nil, files, err
	}
	if in, err = mapFile(files[1], g.inSize, false); err != nil {
		return nil, nil, files, err
	}
	in.huge = writable.huge
	return out, in, files, nil
}

func closeAll(files [2]*os.File, regions ...*region) {
	for _, f := range files {
		if f != nil {
			_ = f.Close()
		}
	}
	for _, r := range regions {
		if r != nil {
			_ = r.close()
		}
	}
}

// createFile makes one memory file, maps it read-write and touches every page:
// a cold page costs more than the message in it.
func createFile(name string, size int64, huge bool) (f *os.File, r *region, err error) {
	if huge {
		// Fails where the pool of huge pages is empty, which is the default of
		// most systems. Ordinary pages do the same job, a little slower.
		if f, r, err = tryFile(name, size, unix.MFD_HUGETLB); err == nil {
			r.huge = true
			return f, r, nil
		}
	}
	return tryFile(name, size, 0)
}

func tryFile(name string, size int64, flags int) (*os.File, *region, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING|flags)
	if errors.Is(err, unix.ENOSYS) {
		return nil, nil, fmt.Errorf("%w: memfd_create: %w", ErrUnsupported, err)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("shmchan: memfd_create: %w", err)
	}
	f := os.NewFile(uintptr(fd), name)
	if err := unix.Ftruncate(fd, size); err != nil {
		_ = f.Close()
		return nil, nil, fmt.Errorf("shmchan: memory file of %d bytes: %w", size, err)
	}
	r, err := mapFile(f, size, true)
	if err != nil {
		_ = f.Close()
		return nil, nil, err
	}
	return f, r, nil
}

// mapFile maps a memory file and faults all of it in.
func mapFile(f *os.File, size int64, writable bool) (*region, error) {
	prot, populate := unix.PROT_READ, unix.MADV_POPULATE_READ
	if writable {
		prot, populate = unix.PROT_READ|unix.PROT_WRITE, unix.MADV_POPULATE_WRITE
	}
	mem, err := unix.Mmap(int(f.Fd()), 0, int(size), prot, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("shmchan: mapping %d bytes: %w", size, err)
	}
	r := &region{mem: mem, unmap: func() error { return unix.Munmap(mem) }}
	// EINVAL: a kernel before 5.14. Its first messages are slower, that is all.
	if err := unix.Madvise(mem, populate); err != nil && !errors.Is(err, unix.EINVAL) {
		_ = r.close()
		return nil, fmt.Errorf("shmchan: no memory for %d bytes: %w", size, err)
	}
	// A forked child would keep pages of a channel that is none of its own.
	_ = unix.Madvise(mem, unix.MADV_DONTFORK)
	return r, nil
}

// seal adds seals and reads them back: F_ADD_SEALS of an unknown seal is an
// error, but a check costs nothing and covers a kernel that lies.
func seal(f *os.File, seals int) error {
	if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, seals); err != nil {
		if errors.Is(err, unix.EINVAL) {
			return fmt.Errorf("%w: sealing a memory file (F_SEAL_FUTURE_WRITE needs Linux 5.1): %w", ErrUnsupported, err)
		}
		return fmt.Errorf("shmchan: sealing a memory file: %w", err)
	}
	return checkFile(f, seals, -1)
}

// checkFile verifies the seals and, unless it is negative, the size of a file.
// A file with a seal missing could be truncated under its reader; one with a
// seal too many (F_SEAL_WRITE) could not be what was agreed.
func checkFile(f *os.File, seals int, size int64) error {
	got, err := unix.FcntlInt(f.Fd(), unix.F_GET_SEALS, 0)
	if err != nil {
		return &ViolationError{What: "memory file cannot be sealed (" + err.Error() + "); seals", Got: 0, Limit: uint64(seals)}
	}
	if got&^unix.F_SEAL_EXEC != seals {
		return &ViolationError{What: "seals of the memory file", Got: uint64(got), Limit: uint64(seals)}
	}
	if size < 0 {
		return nil
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return fmt.Errorf("shmchan: size of a memory file: %w", err)
	}
	if st.Size != size {
		return &ViolationError{What: "size of the memory file", Got: uint64(st.Size), Limit: uint64(size)}
	}
	return nil
}

// attachFiles verifies and maps what a creator handed over. The size is checked
// after the seals: only then does it stay what it is.
func attachFiles(files [2]*os.File, g *geometry) (out, in *region, err error) {
	defer func() {
		if err != nil {
			closeAll([2]*os.File{}, out, in)
		}
	}()
	if err = checkFile(files[0], sealsCreator, g.outSize); err != nil {
		return nil, nil, err
	}
	if err = checkFile(files[1], sealsAttacher, g.inSize); err != nil {
		return nil, nil, err
	}
	if in, err = mapFile(files[0], g.outSize, false); err != nil {
		return nil, nil, err
	}
	if out, err = mapFile(files[1], g.inSize, true); err != nil {
		return nil, in, err
	}
	return out, in, nil
}
