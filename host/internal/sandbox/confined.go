package sandbox

import (
	"github.com/ringfence/ringfence/host/internal/transport"
)

// Stages of the sandbox's own system-call filter: one is in force when a process
// prints its handshake line, and the other before a guest's first instruction.
const (
	whileCompiling = 1
	withGuest      = 2

	// ofTrampoline is the one that a native plugin does not have a say in.
	ofTrampoline = 1
)

// confined asks the kernel whether the process has put on what is its own to
// put on. A build that forgets a stage, or a module that broke the compiler and
// skipped the second one, would run a guest with one wall less. (Such a module
// can also install filters that refuse nothing. It has the first stage all the
// same, which nobody can take off.)
func (s *Sandbox) confined(jailed bool, filters int) error {
	if !jailed {
		return nil
	}
	c, err := s.process.Confinement()
	if err != nil {
		return err
	}
	if c.Filters < filters || !c.NoNewPrivs || c.Capabilities != 0 {
		return transport.Violation("the sandbox is not confined: %d filters (want %d), no_new_privs %v, capabilities %#x",
			c.Filters, filters, c.NoNewPrivs, c.Capabilities)
	}
	return nil
}
