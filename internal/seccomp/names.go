package seccomp

import (
	_ "embed"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync"
)

// Arch is a CPU architecture whose system calls can be filtered.
type Arch string

// The architectures, by Go's names.
const (
	AMD64 Arch = "amd64"
	ARM64 Arch = "arm64"
)

// audit is what the kernel calls the architecture of a call. A 64-bit process
// can make 32-bit calls, whose numbers mean something else.
func (a Arch) audit() uint32 {
	switch a {
	case AMD64:
		return 0xc000003e // AUDIT_ARCH_X86_64
	case ARM64:
		return 0xc00000b7 // AUDIT_ARCH_AARCH64
	}
	return 0
}

// syscalls.txt has a line for each system call: its name and its number on
// amd64 and on arm64, "-" where it does not exist. A test compares it with
// golang.org/x/sys/unix, and writes it with -update.
//
//go:embed syscalls.txt
var syscalls string

// numbers are parsed when the first filter for the architecture is made, by a
// process that somebody waits for: so those of the others are left alone.
var numbers = map[Arch]func() map[string]uint32{
	AMD64: sync.OnceValue(func() map[string]uint32 { return parse(0) }),
	ARM64: sync.OnceValue(func() map[string]uint32 { return parse(1) }),
}

func parse(column int) map[string]uint32 {
	m := make(map[string]uint32, strings.Count(syscalls, "\n"))
	for line := range strings.Lines(syscalls) {
		f := strings.Fields(line)
		if n, err := strconv.ParseUint(f[column+1], 10, 32); err == nil {
			m[f[0]] = uint32(n)
		}
	}
	return m
}

// Name is the name of a system call, or its number where it has none.
func (a Arch) Name(number uint32) string {
	if all := numbers[a]; all != nil {
		for name, n := range all() {
			if n == number {
				return name
			}
		}
	}
	return fmt.Sprintf("syscall %d", number)
}

// Number is the number of a system call; ok is false where there is none.
func (a Arch) Number(name string) (number uint32, ok bool) {
	if all := numbers[a]; all != nil {
		number, ok = all()[name]
	}
	return number, ok
}

// known says that a name exists on some architecture, so is not a typing error.
func known(name string) bool {
	for _, a := range []Arch{Arch(runtime.GOARCH), AMD64, ARM64} {
		if _, ok := a.Number(name); ok {
			return true
		}
	}
	return false
}
