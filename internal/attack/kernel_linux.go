package attack

import "golang.org/x/sys/unix"

func init() {
	register(map[string]func(*World) string{
		"bpf":                           makeMap,
		"io_uring":                      ring,
		"userfaultfd":                   numeric(unix.SYS_USERFAULTFD, 1|unix.O_CLOEXEC), // UFFD_USER_MODE_ONLY
		"keyctl":                        numeric(unix.SYS_KEYCTL, 0, none-1, 1),          // the process's keyring, which is made
		"add a key":                     addKey,
		"perf_event_open":               perf,
		"personality":                   numeric(unix.SYS_PERSONALITY, 0x0400000),  // READ_IMPLIES_EXEC
		"load a kernel":                 numeric(unix.SYS_KEXEC_LOAD, 0, 17, 0, 0), // one segment too many
		"load a module":                 numeric(unix.SYS_INIT_MODULE, 0, 0, 0),
		"load a module by descriptor":   numeric(unix.SYS_FINIT_MODULE, none, 0, 0),
		"unload a module":               numeric(unix.SYS_DELETE_MODULE, 0, 0),
		"read the kernel log":           numeric(unix.SYS_SYSLOG, 10),
		"set the clock":                 numeric(unix.SYS_CLOCK_SETTIME, 99, 0),
		"swap":                          numeric(unix.SYS_SWAPON, 0, 0),
		"quotas":                        numeric(unix.SYS_QUOTACTL, none, 0, 0, 0),
		"accounting":                    numeric(unix.SYS_ACCT, 1),
		"asynchronous input and output": asynchronous,
		"System V shared memory": func(*World) string {
			id, err := unix.SysvShmGet(unix.IPC_PRIVATE, 1<<16, 0o600)
			if err == nil {
				_, err = unix.SysvShmCtl(id, unix.IPC_RMID, nil)
			}
			return said(err)
		},
		"System V messages": messages,
		"System V semaphores": func(*World) string {
			id, _, errno := unix.Syscall(unix.SYS_SEMGET, unix.IPC_PRIVATE, 1, 0o600)
			if errno != 0 {
				return said(errno)
			}
			return call(unix.SYS_SEMCTL, id, 0, unix.IPC_RMID)
		},
		"POSIX shared memory": func(*World) string { return fill("/dev/shm/ringfence-attack", 1) },
		"POSIX messages":      makeQueue,
		"memfd":               func(*World) string { return opened(unix.MemfdCreate("attack", unix.MFD_CLOEXEC)) },
		"secret memory":       numeric(unix.SYS_MEMFD_SECRET, 0),
		"landlock":            numeric(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, 1),
		"a filter more":       askForAction,
		"how busy is the machine": func(*World) string {
			var s unix.Sysinfo_t
			return said(unix.Sysinfo(&s))
		},
	})
}
