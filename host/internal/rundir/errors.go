package rundir

import "errors"

var (
	// ErrUnsafe means that the base folder is not private: somebody else owns
	// it or can write to it, or it is no folder.
	ErrUnsafe = errors.New("folder is not private")
	// ErrUnsupported means that this system has no private run folders.
	ErrUnsupported = errors.New("not supported on this system")
)

// Swept says what Open found of hosts that had died and what it did.
type Swept struct {
	Folders  int     // run folders removed
	Killed   []int   // processes that outlived their host
	Problems []error // what could not be cleared; the next host tries again
}
