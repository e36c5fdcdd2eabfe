package seccomp

import (
	_ "embed"
	"fmt"
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

type numbering struct {
	number map[string]uint32
	name   map[uint32]string
}

var numberings = sync.OnceValue(func() map[Arch]numbering {
	all := map[Arch]numbering{
		AMD64: {map[string]uint32{}, map[uint32]string{}},
		ARM64: {map[string]uint32{}, map[uint32]string{}},
	}
	for line := range strings.Lines(syscalls) {
		f := strings.Fields(line)
		for i, a := range []Arch{AMD64, ARM64} {
			if n, err := strconv.ParseUint(f[i+1], 10, 32); err == nil {
				all[a].number[f[0]], all[a].name[uint32(n)] = uint32(n), f[0]
			}
		}
	}
	return all
})

// Name is the name of a system call, or its number where it has none.
func (a Arch) Name(number uint32) string {
	if name, ok := numberings()[a].name[number]; ok {
		return name
	}
	return fmt.Sprintf("syscall %d", number)
}

// Number is the number of a system call; ok is false where there is none.
func (a Arch) Number(name string) (number uint32, ok bool) {
	number, ok = numberings()[a].number[name]
	return number, ok
}

// known says that a name exists on some architecture, so is not a typing error.
func known(name string) bool {
	for _, n := range numberings() {
		if _, ok := n.number[name]; ok {
			return true
		}
	}
	return false
}
