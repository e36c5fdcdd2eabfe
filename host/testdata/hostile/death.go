package main

import (
	"os/exec"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringfence/ringfence/internal/seccomp"
)

// confine installs a stage of the real filter, unless the way of this program is
// to skip it: then it does what the sandbox does where there is no listener, and
// lets go of the pipe.
func confine(way string, stage seccomp.Stage) error {
	switch {
	case way == "no first filter" && stage == seccomp.One:
		return unix.Close(seccomp.NoticeFD)
	case way == "no second filter" && stage == seccomp.Two:
		return nil
	case stage == seccomp.One:
		return seccomp.WASM.InstallForHost(stage)
	}
	return seccomp.WASM.Install(stage)
}

// ends is a tool that does something and never answers.
func ends(deed func()) func(stream) error {
	return func(s stream) error {
		if err := drain(s); err != nil {
			return err
		}
		deed()
		time.Sleep(time.Hour)
		return nil
	}
}

func eat() {
	for {
		b, err := unix.Mmap(-1, 0, 64<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
		if err != nil {
			return
		}
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
	}
}

func spin() {
	for i := uint64(1); i != 0; i++ { // for ever, at any speed
	}
}

// bomb starts as many processes as it can, which do the same.
func bomb() {
	for {
		_ = exec.Command("/sandbox").Start()
	}
}
