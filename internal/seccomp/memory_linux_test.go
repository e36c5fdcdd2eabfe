//go:build amd64 || arm64

package seccomp

import (
	"golang.org/x/sys/unix"
)

const rw = unix.PROT_READ | unix.PROT_WRITE

func mapping(fd, prot, flags int) func() string {
	return func() string {
		file := -1
		if fd == aRing {
			file = have.memfd
		}
		_, err := unix.Mmap(file, 0, 4096, prot, flags)
		return said(err)
	}
}

const (
	noFile = iota
	aRing
)

var memoryAttacks = []attack{
	{"new code", "ok", "ok", killed, mapping(noFile, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_PRIVATE|unix.MAP_ANON)},
	{"writable code", "ok", "ok", killed, mapping(noFile, rw|unix.PROT_EXEC, unix.MAP_PRIVATE|unix.MAP_ANON)},
	{"data into code", "ok", "ok", killed, func() string {
		b, err := unix.Mmap(-1, 0, 4096, rw, unix.MAP_PRIVATE|unix.MAP_ANON)
		if err != nil {
			return said(err)
		}
		return said(unix.Mprotect(b, unix.PROT_READ|unix.PROT_EXEC))
	}},
	{"data into code with a key", "ok", killed, killed, func() string {
		return raw(unix.SYS_PKEY_MPROTECT, page(), 4096, unix.PROT_READ|unix.PROT_EXEC, never)
	}},
	{"the ring as code", "ok", killed, killed, mapping(aRing, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_SHARED)},
	{"a copy of the ring as code", "ok", killed, killed, mapping(aRing, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_PRIVATE)},
	{"a file, privately", "ok", "ok", killed, mapping(aRing, unix.PROT_READ, unix.MAP_PRIVATE)},
	{"the module, writable", "ok", killed, killed, mapping(aRing, rw, unix.MAP_PRIVATE)},
	{"shared memory", "ok", killed, killed, mapping(noFile, rw, unix.MAP_SHARED|unix.MAP_ANON)},
	{"memory past RLIMIT_DATA", "ok", killed, killed, func() string {
		// In stage two the limit can no longer be set either.
		if err := unix.Prlimit(0, unix.RLIMIT_DATA, &unix.Rlimit{Cur: 1 << 20, Max: 1 << 20}, nil); err != nil {
			return said(err)
		}
		if s := mapping(noFile, rw, unix.MAP_PRIVATE|unix.MAP_ANON)(); s != "ENOMEM" {
			return "a-plain-mapping:" + s
		}
		return mapping(noFile, rw, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_GROWSDOWN)()
	}},
	{"written memory past RLIMIT_DATA", "ok", "ok", killed, func() string {
		for range 4 {
			// What was written stays in memory, and the limit forgets it.
			b, err := unix.Mmap(-1, 0, 1<<20, rw, unix.MAP_PRIVATE|unix.MAP_ANON)
			if err != nil {
				return said(err)
			}
			b[0] = 1
			if err := unix.Mprotect(b, unix.PROT_READ); err != nil {
				return said(err)
			}
		}
		return "ok"
	}},
	{"droppable memory past RLIMIT_DATA", "ENOMEM EINVAL", "ENOMEM", killed, func() string {
		if err := unix.Prlimit(0, unix.RLIMIT_DATA, &unix.Rlimit{Cur: 1 << 20, Max: 1 << 20}, nil); err != nil {
			return said(err)
		}
		return mapping(noFile, rw, mapDroppable|unix.MAP_ANON)()
	}},
	{"a memfd", "ok", killed, killed, func() string {
		_, err := unix.MemfdCreate("x", 0)
		return said(err)
	}},
	{"System V shared memory", "ok", killed, killed, func() string {
		id, err := unix.SysvShmGet(0, 4096, unix.IPC_CREAT|0o600)
		if err == nil {
			_, err = unix.SysvShmCtl(id, unix.IPC_RMID, nil)
		}
		return said(err)
	}},
	{"a hole in the ring", "ok", "EINVAL", "EINVAL", func() string {
		return said(unix.Madvise(have.window, unix.MADV_REMOVE))
	}},
	{"locked memory", "ok", killed, killed, func() string { return said(unix.Mlock(have.window)) }},
	{"memory under another name", "ok EINVAL", killed, killed, func() string {
		return raw(unix.SYS_REMAP_FILE_PAGES, page(), 4096, 0, 0, 0)
	}},
}

// The ring's windows can be mapped in every stage, over what is there.
func init() {
	deeds["a window"] = func() string {
		if string(have.window[:4]) != "ring" {
			return "the-ring-is-empty"
		}
		return raw(unix.SYS_MMAP, page(), 4096, rw, unix.MAP_SHARED|unix.MAP_FIXED, uintptr(have.memfd), 0)
	}
	deeds["nothing"] = func() string { return "ok" }
}
