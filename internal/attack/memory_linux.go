package attack

import "golang.org/x/sys/unix"

const (
	page  = 4096
	rw    = unix.PROT_READ | unix.PROT_WRITE
	anon  = unix.MAP_PRIVATE | unix.MAP_ANON
	chunk = 64 << 20
	// much is more than any test's sandbox may have.
	much = 8 << 30
)

func mmap(length, prot, flags uintptr, fd int) (uintptr, error) {
	at, _, errno := unix.Syscall6(unix.SYS_MMAP, 0, length, prot, flags, uintptr(fd), 0)
	if errno != 0 {
		return 0, errno
	}
	return at, nil
}

// mapped is an attack of one mapping, which is given back.
func mapped(prot, flags uintptr) func(*World) string {
	return func(*World) string {
		at, err := mmap(page, prot, flags, -1)
		if err == nil {
			_ = call(unix.SYS_MUNMAP, at, page)
		}
		return said(err)
	}
}

// on makes the call with the address of a fresh page first.
func on(number uintptr, args ...uintptr) func(*World) string {
	return func(*World) string {
		at, err := mmap(page, rw, anon, -1)
		if err != nil {
			return "page-" + said(err)
		}
		return call(number, append([]uintptr{at}, args...)...)
	}
}

func init() {
	register(map[string]func(*World) string{
		"map writable code":             mapped(rw|unix.PROT_EXEC, anon),
		"map shared memory":             mapped(rw, unix.MAP_SHARED|unix.MAP_ANON),
		"map memory that grows down":    mapped(rw, anon|unix.MAP_GROWSDOWN),
		"map huge pages":                mapped(rw, anon|unix.MAP_HUGETLB),
		"map locked memory":             mapped(rw, anon|unix.MAP_LOCKED),
		"make memory executable":        on(unix.SYS_MPROTECT, page, unix.PROT_READ|unix.PROT_EXEC),
		"make memory grow down":         on(unix.SYS_MPROTECT, page, rw|unix.PROT_GROWSDOWN),
		"make memory executable by key": on(unix.SYS_PKEY_MPROTECT, page, unix.PROT_READ|unix.PROT_EXEC, none),
		"move memory and leave it":      on(unix.SYS_MREMAP, page, page, unix.MREMAP_MAYMOVE|unix.MREMAP_DONTUNMAP),
		"move memory to a chosen place": on(unix.SYS_MREMAP, page, page, unix.MREMAP_MAYMOVE|unix.MREMAP_FIXED, 0x10000000000),
		"lock memory":                   on(unix.SYS_MLOCK, page),
		"lock all memory":               numeric(unix.SYS_MLOCKALL, unix.MCL_FUTURE|unix.MCL_ONFAULT),
		"remap pages of a file":         on(unix.SYS_REMAP_FILE_PAGES, page, 0, 0, 0),
		"eat memory":                    eat,
		"eat memory that is read-only":  hide,
		"eat address space":             func(*World) string { return eating(unix.PROT_READ, 1<<30, 128<<30, keep) },
		"eat and touch memory":          touch,
		"x32":                           func(*World) string { return call(0x40000000|unix.SYS_GETPID, 0) },
		"int 0x80":                      func(*World) string { return old() },

		"write to the ring":            func(w *World) string { _, err := unix.Write(w.Ring, []byte("x")); return said(err) },
		"map the ring to write":        func(w *World) string { return mapRing(w, rw) },
		"map the ring to execute":      func(w *World) string { return mapRing(w, unix.PROT_READ|unix.PROT_EXEC) },
		"make the ring's map writable": writableRing,
		"punch a hole into the ring":   punch,
		"shorten the ring":             func(w *World) string { return said(unix.Ftruncate(w.Ring, 1)) },
		"allocate a hole in the ring": func(w *World) string {
			return said(unix.Fallocate(w.Ring, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, page))
		},
		"unseal the ring": func(w *World) string {
			_, err := unix.FcntlInt(uintptr(w.Ring), unix.F_ADD_SEALS, unix.F_SEAL_SEAL)
			return said(err)
		},
		"reopen the ring": func(*World) string { return open("/proc/self/fd/3", unix.O_RDWR) },
	})
}

func mapRing(w *World, prot uintptr) string {
	at, err := mmap(page, prot, unix.MAP_SHARED, w.Ring)
	if err == nil {
		_ = call(unix.SYS_MUNMAP, at, page)
	}
	return said(err)
}

func writableRing(w *World) string {
	at, err := mmap(page, unix.PROT_READ, unix.MAP_SHARED, w.Ring)
	if err != nil {
		return "map-" + said(err)
	}
	return call(unix.SYS_MPROTECT, at, page, rw)
}

// punch makes a page vanish under whoever reads it.
func punch(w *World) string {
	at, err := mmap(page, rw, unix.MAP_SHARED, w.Ring)
	if err != nil {
		at, err = mmap(page, unix.PROT_READ, unix.MAP_SHARED, w.Ring)
	}
	if err != nil {
		return "map-" + said(err)
	}
	return call(unix.SYS_MADVISE, at, page, unix.MADV_REMOVE)
}

// eat maps memory until it may not, and gives it back.
func eat(*World) string { return eating(rw, chunk, much, keep) }

func keep(uintptr) string { return OK }

// touch uses what it maps. Only for where it ends soon.
func touch(*World) string {
	return eating(rw, chunk, much, func(at uintptr) string {
		for i := uintptr(0); i < chunk; i += page {
			if said := call(unix.SYS_GETRANDOM, at+i, 1, 0); said != OK {
				return said
			}
		}
		return OK
	})
}

// hide uses memory (one page of each piece, which shows it as well) and then
// makes it read-only: the kernel counts what may be written as data, so what
// was written once is memory that RLIMIT_DATA forgets.
func hide(*World) string {
	return eating(rw, chunk, much, func(at uintptr) string {
		if said := call(unix.SYS_GETRANDOM, at, 1, 0); said != OK {
			return said
		}
		return call(unix.SYS_MPROTECT, at, chunk, unix.PROT_READ)
	})
}

// eating maps pieces until one is refused or it has had enough.
func eating(prot, piece, enough uintptr, use func(at uintptr) string) string {
	var all []uintptr
	defer func() {
		for _, at := range all {
			_ = call(unix.SYS_MUNMAP, at, piece)
		}
	}()
	for range enough / piece {
		at, err := mmap(piece, prot, anon, -1)
		if err != nil {
			return said(err)
		}
		all = append(all, at)
		if said := use(at); said != OK {
			return said
		}
	}
	return OK
}

// old makes a system call of 32-bit programs, whose numbers mean other calls.
func old() string {
	n, ok := getpid32()
	switch {
	case !ok:
		return "no-such-instruction"
	case n < 0:
		return said(unix.Errno(-n))
	}
	return OK
}
