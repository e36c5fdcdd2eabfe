package seccomp

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/net/bpf"
)

// Call is what the kernel shows a filter.
type Call struct {
	Number uint32
	Args   [6]uint64
	// Arch is the kernel's word for the calling convention; 0 is the filter's own.
	Arch uint32
}

// Call makes a call by name, for Run. It panics when there is no such call.
func (f Filter) Call(name string, args ...uint64) Call {
	n, ok := f.arch.Number(name)
	if !ok {
		panic(fmt.Sprintf("no system call %q on %s", name, f.arch))
	}
	c := Call{Number: n}
	copy(c.Args[:], args)
	return c
}

// Run gives the verdict on a call, as the kernel would.
func (f Filter) Run(c Call) (Action, error) {
	vm, err := bpf.NewVM(f.program)
	if err != nil {
		return 0, err
	}
	if c.Arch == 0 {
		c.Arch = f.arch.audit()
	}
	// The virtual machine reads words from network packets, so big-endian; the
	// words' places are those of a little-endian machine.
	data := make([]byte, dataSize)
	word := binary.BigEndian.PutUint32
	word(data[offNumber:], c.Number)
	word(data[offArch:], c.Arch)
	for i, arg := range c.Args {
		word(data[offLow(i):], uint32(arg))
		word(data[offHigh(i):], uint32(arg>>32))
	}
	verdict, err := vm.Run(data)
	return Action(uint32(verdict)), err
}
