//go:build amd64 || arm64

package seccomp

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Here is the architecture of this process.
const Here = Arch(runtime.GOARCH)

// Install puts a stage of the profile in force for all threads of this process,
// for good.
//
// After stage one Go must not look at its cgroup: the main package needs
// //go:debug containermaxprocs=0 and updatemaxprocs=0, or GOMAXPROCS must be
// set, or the runtime kills its process within seconds.
func (p Profile) Install(stage Stage) error {
	f, err := p.Filter(stage, Params{PID: os.Getpid()}, Here)
	if err != nil {
		return err
	}
	if err := f.Install(); err != nil {
		return fmt.Errorf("seccomp profile %s, stage %d: %w", p, stage, err)
	}
	return nil
}

// Install puts the filter in force for all threads of this process, for good.
// With it goes no_new_privs, which the kernel demands: else a filter could
// mislead a program that runs with more rights.
//
// It fails, and installs nothing, when some thread has filters of its own.
func (f Filter) Install() error {
	r, err := f.install(seccompTSync)
	if err == nil && r != 0 {
		err = fmt.Errorf("thread %d has filters of its own", r)
	}
	return err
}

// InstallThread puts the filter in force for the calling thread only, which the
// caller has locked; what it executes inherits it.
func (f Filter) InstallThread() error {
	_, err := f.install(0)
	return err
}

func (f Filter) install(flags uintptr) (int, error) {
	if f.arch != Here {
		return 0, fmt.Errorf("a filter for %q on %s", f.arch, Here)
	}
	raw, err := f.raw()
	if err != nil {
		return 0, err
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	// Under a filter of ours the request is refused, and not needed: the kernel
	// has set it on all threads with the first one.
	err = unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	if err != nil && !errors.Is(err, unix.EINVAL) {
		return 0, fmt.Errorf("no_new_privs: %w", err)
	}
	r, err := setModeFilter(raw, flags)
	if err != nil {
		return 0, fmt.Errorf("install a filter of %d instructions: %w", len(raw), err)
	}
	return r, nil
}

func (f Filter) raw() ([]unix.SockFilter, error) {
	assembled, err := bpf.Assemble(f.program)
	if err != nil {
		return nil, err
	}
	if len(assembled) == 0 {
		return nil, errors.New("an empty filter")
	}
	raw := make([]unix.SockFilter, len(assembled))
	for i, r := range assembled {
		raw[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	return raw, nil
}
