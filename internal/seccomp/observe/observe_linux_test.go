//go:build amd64 || arm64

package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/internal/seccomp"
	"golang.org/x/sys/unix"
)

const envObserved = "OBSERVE_TEST_OBSERVED"

func TestMain(m *testing.M) {
	switch {
	case len(os.Args) > 2 && os.Args[1] == execute:
		fail(runFiltered(os.Args[2:]))
	case os.Getenv(envObserved) != "":
		observed()
	default:
		os.Exit(m.Run())
	}
}

// observed does in each stage something that the filter kills; under observe it
// lives on.
func observed() {
	_, _ = unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM, 0) // before any stage
	step := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(3)
		}
	}
	step(seccomp.WASM.Install(seccomp.One))
	_, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW, 0)
	step(err)
	_, err = os.Open("/nowhere")
	if err == nil {
		os.Exit(4)
	}
	step(seccomp.WASM.Install(seccomp.Two))
	_, err = unix.Mmap(-1, 0, 4096, unix.PROT_EXEC, unix.MAP_PRIVATE|unix.MAP_ANON)
	step(err)
}

func TestObserve(t *testing.T) {
	t.Setenv(envObserved, "1")
	t.Setenv("GOMAXPROCS", "2")
	n := newNotes(seccomp.WASM)
	if err := observe([]string{os.Args[0]}, n); err != nil {
		t.Fatal(err)
	}
	report, deadly := n.report()
	if !deadly {
		t.Error("nothing deadly was noted")
	}
	for _, want := range []string{
		"1 processes entered stage one",
		"stage 1  kill                1  socket arg0=0x10 arg1=0x3",
		"stage 1  ENOENT              1  openat",
		"stage 2  kill                1  mmap arg2=0x4 arg3=0x22",
		"exit_group",
	} {
		if !strings.Contains(report, want) {
			t.Errorf("the report lacks %q:\n%s", want, report)
		}
	}
	if strings.Contains(report, "arg1=0x2 ") {
		t.Errorf("a call from before stage one was noted:\n%s", report)
	}
	if err := observe([]string{"/nowhere/to/be/found"}, newNotes(seccomp.WASM)); err == nil {
		t.Error("a command that does not exist was observed")
	}
}
