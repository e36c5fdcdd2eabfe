package main

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/internal/seccomp"
)

// seccomp installs the filter for a program that does not bring its own. The
// filter lets one exec through: that of the descriptor which is opened here and
// closes with it.
func (j *jail) seccomp() (string, error) {
	if j.Probe {
		return tryFilters()
	}
	if j.Seccomp == "" {
		return "", errNotOrdered
	}
	fd, err := unix.Open(string(j.Program), unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", fmt.Errorf("open %s: %w", j.Program, err)
	}
	// The filter also holds for what is left to do here, so it comes after.
	if err := unix.Chdir(string(j.Home)); err != nil {
		return "", fmt.Errorf("enter %s: %w", j.Home, err)
	}
	ring := slices.Contains(j.Files, seccomp.RingOutFD) && slices.Contains(j.Files, seccomp.RingInFD)
	if err := j.filter(seccomp.Profile(j.Seccomp), seccomp.Params{PID: os.Getpid(), ExecFD: fd, Ring: ring}); err != nil {
		return "", err
	}
	j.program = fd
	return j.Seccomp, nil
}

func (j *jail) filter(profile seccomp.Profile, params seccomp.Params) error {
	if j.Notices {
		return profile.InstallThreadForHost(seccomp.One, params)
	}
	filter, err := profile.Filter(seccomp.One, params, seccomp.Here)
	if err != nil {
		return err
	}
	return filter.InstallThread()
}

// tryFilters installs every filter that a sandbox will, as it will: on all
// threads, one upon the other. And it asks each for its answer, since a kernel
// that takes a filter and then does not heed it is no jail.
func tryFilters() (string, error) {
	for _, f := range []struct {
		profile seccomp.Profile
		stage   seccomp.Stage
		ask     func() error
		want    error
	}{
		{seccomp.Native, seccomp.One, socket, unix.EAFNOSUPPORT},
		{seccomp.WASM, seccomp.One, probeFile, unix.ENOENT},
		{seccomp.WASM, seccomp.Two, socketName, unix.EPERM},
	} {
		if err := f.profile.Install(f.stage); err != nil {
			return "", err
		}
		if err := f.ask(); !errors.Is(err, f.want) {
			return "", fmt.Errorf("profile %s, stage %d is in force, yet a call that it answers with %q got %v", f.profile, f.stage, f.want, err)
		}
	}
	return "both stages", nil
}

// What each asks for is there, or wrong in another way: the answer is the
// filter's.

func socket() error {
	_, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	return err
}

func probeFile() error {
	_, err := unix.Open("/", unix.O_PATH|unix.O_CLOEXEC, 0)
	return err
}

func socketName() error {
	_, err := unix.Getsockname(0) // no socket
	return err
}
