//go:build linux && (amd64 || arm64)

// Command observe shows what a program asks of the kernel, and what a seccomp
// profile would say to it. It is how the tables of internal/seccomp are made:
//
//	go run ./internal/seccomp/observe -profile wasm -- bin/ringfence demo
//
// It runs the command and all that this starts under a filter that puts every
// system call to this process (SECCOMP_RET_USER_NOTIF), which notes it and lets
// it happen. Where a process installs a filter of its own, which is how a
// sandbox enters its stages, the call is answered with success and not made; so
// what a process would die of shows too, not only what it lives on.
//
// For each process that enters a stage it notes the calls from there on, and
// prints them at the end by stage: what the profile answers, how often, the name
// and the arguments where the rule looks at some. Calls that the profile kills
// come first and make the exit status 1.
//
// Programs with set-user-ID bits get no rights under it (no_new_privs), and the
// calling user needs the right to trace its own children.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/ringfence/ringfence/internal/seccomp"
)

func main() {
	profile := flag.String("profile", string(seccomp.WASM), "the profile to compare with: wasm or native")
	output := flag.String("o", "", "a file for the report (default: standard error)")
	if len(os.Args) > 2 && os.Args[1] == execute {
		fail(runFiltered(os.Args[2:]))
	}
	flag.Parse()
	if flag.NArg() == 0 {
		fmt.Fprintln(os.Stderr, "usage: observe [-profile wasm|native] [-o FILE] -- COMMAND [ARGUMENT...]")
		os.Exit(2)
	}
	if _, err := seccomp.Profile(*profile).Filter(seccomp.One, seccomp.Params{PID: 1}, seccomp.Here); err != nil {
		fail(err)
	}
	notes := newNotes(seccomp.Profile(*profile))
	if err := observe(flag.Args(), notes); err != nil {
		fail(err)
	}
	report, deadly := notes.report()
	if err := write(*output, report); err != nil {
		fail(err)
	}
	if deadly {
		os.Exit(1)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "observe:", err)
	os.Exit(2)
}

func write(path, report string) error {
	if path == "" {
		_, err := os.Stderr.WriteString(report)
		return err
	}
	return os.WriteFile(path, []byte(report), 0o644)
}

var errNothing = errors.New("the command ended before it was observed")
