// Command prisoner is executed in a jail and tries what its arguments say. It
// prints "done" and what it got, or "refused" and the error.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"sort"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/internal/attack"
)

var attempts = map[string]func(args []string) (string, error){
	"read": func(a []string) (string, error) {
		b, err := os.ReadFile(a[0])
		return strings.TrimSpace(string(b)), err
	},
	"write": func(a []string) (string, error) {
		n, err := strconv.Atoi(a[1])
		if err == nil {
			err = os.WriteFile(a[0], make([]byte, n), 0o600)
		}
		return "", err
	},
	"list": func(a []string) (string, error) {
		entries, err := os.ReadDir(a[0])
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
		}
		sort.Strings(names)
		return strings.Join(names, " "), err
	},
	"dotdot": func([]string) (string, error) {
		if err := os.Chdir(strings.Repeat("../", 40)); err != nil {
			return "", err
		}
		b, err := os.ReadFile("etc/passwd")
		return string(b), err
	},
	"dial": func(a []string) (string, error) {
		conn, err := net.DialTimeout(a[0], a[1], 2*time.Second)
		if err == nil {
			_, err = conn.Write([]byte("x"))
		}
		return "", err
	},
	"listen": func(a []string) (string, error) {
		var l net.ListenConfig
		l.SetMultipathTCP(false) // which Landlock does not know
		_, err := l.Listen(context.Background(), a[0], a[1])
		return "", err
	},
	"signal": func(a []string) (string, error) {
		pid, err := strconv.Atoi(a[0])
		if err == nil {
			err = unix.Kill(pid, 0)
		}
		return "", err
	},
	"mount": func([]string) (string, error) {
		return "", unix.Mount("none", ".", "tmpfs", 0, "")
	},
	"unshare":     func([]string) (string, error) { return "", unix.Unshare(unix.CLONE_NEWNS) },
	"sethostname": func([]string) (string, error) { return "", unix.Sethostname([]byte("taken")) },
	"chroot":      func([]string) (string, error) { return "", unix.Chroot(".") },
	"hostname":    func([]string) (string, error) { return os.Hostname() },
	"id": func([]string) (string, error) {
		groups, err := unix.Getgroups()
		return fmt.Sprint(unix.Getuid(), unix.Geteuid(), unix.Getgid(), unix.Getegid(), groups), err
	},
	"pid": func([]string) (string, error) {
		sid, err := unix.Getsid(0)
		return fmt.Sprint(os.Getpid(), os.Getppid(), sid, unix.Getpgrp()), err
	},
	"pdeath": func([]string) (string, error) {
		var sig int32
		err := prctlInt(unix.PR_GET_PDEATHSIG, &sig)
		return strconv.Itoa(int(sig)), err
	},
	"signals":    signals,
	"privileges": privileges,
	"fds": func([]string) (string, error) {
		var open []string
		for fd := 0; fd < 1024; fd++ {
			flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
			if err == nil && flags&unix.FD_CLOEXEC == 0 { // the rest is the runtime's own
				open = append(open, strconv.Itoa(fd))
			}
		}
		return strings.Join(open, " "), nil
	},
	"env": func([]string) (string, error) { return strings.Join(os.Environ(), " "), nil },
	"cwd": func([]string) (string, error) {
		var b [4096]byte
		n, err := unix.Getcwd(b[:])
		return string(b[:max(n-1, 0)]), err
	},
	"limits": func([]string) (string, error) {
		var out []string
		for _, r := range []int{unix.RLIMIT_CORE, unix.RLIMIT_NOFILE, unix.RLIMIT_FSIZE, unix.RLIMIT_MEMLOCK, unix.RLIMIT_STACK} {
			var l unix.Rlimit
			if err := unix.Getrlimit(r, &l); err != nil {
				return "", err
			}
			out = append(out, fmt.Sprintf("%d/%d", l.Cur, l.Max))
		}
		return strings.Join(out, " "), nil
	},
	"raise": func([]string) (string, error) {
		return "", unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 4096, Max: 4096})
	},
	"fork": fork,
	"eat": func(a []string) (string, error) {
		n, err := strconv.Atoi(a[0])
		if err != nil {
			return "", err
		}
		b := make([]byte, n)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		return strconv.Itoa(int(b[0])), nil
	},
	"attack": func(a []string) (string, error) { return attack.Perform([]byte(a[0])), nil },
	"spin": func([]string) (string, error) {
		for {
		}
	},
	"sit": func([]string) (string, error) {
		fmt.Println("sitting")
		for {
			time.Sleep(time.Hour)
		}
	},
}

func privileges([]string) (string, error) {
	var caps [2]unix.CapUserData
	if err := unix.Capget(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &caps[0]); err != nil {
		return "", err
	}
	bounding := 0
	for c := uintptr(0); c < 64; c++ {
		if n, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, c, 0, 0, 0); err == nil {
			bounding += n
		}
	}
	nnp, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)
	held := caps[0].Effective | caps[0].Permitted | caps[0].Inheritable | caps[1].Effective | caps[1].Permitted
	return fmt.Sprintf("held %d, bounding %d, no_new_privs %d", held, bounding, nnp), err
}

// fork starts copies of the program until it may not, and counts them.
func fork(a []string) (string, error) {
	if len(a) == 1 {
		time.Sleep(time.Hour)
	}
	self := os.Getenv("SELF")
	for n := range 40 {
		p, err := os.StartProcess(self, []string{self, "fork", "child"}, &os.ProcAttr{})
		if err != nil {
			return "", fmt.Errorf("after %d: %w", n, err)
		}
		defer p.Kill()
	}
	return "40", nil
}

func main() {
	attempt := attempts[os.Args[1]]
	if attempt == nil {
		fmt.Println("no such attempt")
		os.Exit(2)
	}
	got, err := attempt(os.Args[2:])
	if err != nil {
		fmt.Println("refused:", err)
		return
	}
	fmt.Println("done:", got)
}
