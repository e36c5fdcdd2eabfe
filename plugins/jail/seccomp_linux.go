package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/internal/seccomp"
)

// seccomp installs the filter for a program that does not bring its own. The
// filter lets one exec through: that of the descriptor which is opened here and
// closes with it.
func (j *jail) seccomp() (string, error) {
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
	filter, err := seccomp.Profile(j.Seccomp).Filter(seccomp.One, seccomp.Params{PID: os.Getpid(), ExecFD: fd}, seccomp.Here)
	if err != nil {
		return "", err
	}
	if err := filter.InstallThread(); err != nil {
		return "", err
	}
	j.program = fd
	return j.Seccomp, nil
}
