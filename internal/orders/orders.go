package orders

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Max bounds orders and reports, in bytes.
const Max = 256 << 10

// Layers of the jail, in the order in which the trampoline applies them.
const (
	Descriptors  = "descriptors"      // all but the named ones are closed
	Limits       = "limits"           // rlimits
	Root         = "root"             // mounts are private, and the root is the program's own
	Names        = "host names"       // the UTS namespace's names are emptied
	Capabilities = "capabilities"     // none, and none can come back
	Identity     = "identity"         // uid and gid
	Parent       = "parent death"     // the process dies with its host
	NoNewPrivs   = "no new privilege" // setuid files are without effect
	Landlock     = "landlock"
	Signals      = "signals" // mask and dispositions as after boot
	Seccomp      = "seccomp"
	Execute      = "execute" // not a layer: what is left to fail
)

// Orders are everything that a trampoline has to know.
type Orders struct {
	// Program is executed with Args (the program's name first) and Env, and
	// nothing else. With a root of its own the path is in that root.
	Program Text   `json:"program"`
	Args    []Text `json:"args"`
	Env     []Text `json:"env"`
	// Home is the working folder.
	Home Text `json:"home"`
	// Keep are the descriptors that the program gets beside 0, 1 and 2.
	Keep []int `json:"keep"`
	// Status is the descriptor of the report.
	Status int `json:"status"`

	// Limits are set soft and hard.
	Limits []Limit `json:"limits"`
	// Mounts make up the root, the first one at "/". None: the host's root stays.
	Mounts []Mount `json:"mounts"`
	// Names says that the host names are the process's own, to be emptied.
	Names bool `json:"names"`
	// Privileged says that the process has capabilities to drop, those of its
	// user namespace or of real root. Without, there are none to begin with.
	Privileged bool `json:"privileged"`
	// ID is the uid and gid to become; 0 means to stay, as with a user
	// namespace, where the map has given it an identity already.
	ID int `json:"id"`
	// Paths are what Landlock leaves accessible. nil: no Landlock.
	Paths []Path `json:"paths"`
	// Seccomp names the filter to install before the program is executed; ""
	// for a program that installs its own.
	Seccomp string `json:"seccomp"`

	// Probe tries every layer, reports each, and executes nothing.
	Probe bool `json:"probe"`
}

// Limit is one resource limit.
type Limit struct {
	Name     string `json:"name"`
	Resource int    `json:"resource"`
	Value    uint64 `json:"value"`
}

// Mount is one file tree of the new root. Every one is without set-user-ID
// files and devices.
type Mount struct {
	// Tree is the descriptor of a detached mount with its attributes set, or -1
	// to make one of Path.
	Tree int  `json:"tree"`
	Path Text `json:"path"`
	// At is where it goes: "/", or a folder of the tree that is mounted there.
	At string `json:"at"`
	// Write and Exec allow writing to it and executing from it.
	Write bool `json:"write"`
	Exec  bool `json:"exec"`
}

// Path is a file or folder that stays accessible.
type Path struct {
	Path Text `json:"path"`
	// Exec: it may be read and executed. Serve: files and sockets may be made
	// in it. Folder: all below it may be listed and read, and with Write changed:
	// plain files and folders, nothing else. None of them: it may be read.
	Exec   bool `json:"exec"`
	Serve  bool `json:"serve"`
	Folder bool `json:"folder"`
	Write  bool `json:"write"`
}

// Write writes orders to the trampoline.
func (o *Orders) Write(w io.Writer) error {
	b, err := json.Marshal(o)
	if err != nil {
		return err
	}
	if len(b) > Max {
		return fmt.Errorf("orders of %d bytes (maximum %d)", len(b), Max)
	}
	_, err = w.Write(b)
	return err
}

// Read reads orders to the end of r.
func Read(r io.Reader) (*Orders, error) {
	b, err := io.ReadAll(io.LimitReader(r, Max+1))
	switch {
	case err != nil:
		return nil, err
	case len(b) == 0:
		return nil, errors.New("no orders came; the host has gone")
	case len(b) > Max:
		return nil, fmt.Errorf("orders of more than %d bytes", Max)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var o Orders
	if err := d.Decode(&o); err != nil {
		return nil, fmt.Errorf("orders: %w", err)
	}
	if d.More() {
		return nil, errors.New("orders: something follows them")
	}
	return &o, o.check()
}

// check refuses orders that would leave out more than they say.
func (o *Orders) check() error {
	switch {
	case o.Status < 3:
		return fmt.Errorf("orders: report to descriptor %d: want 3 or more", o.Status)
	case !o.Probe && (o.Program == "" || len(o.Args) == 0):
		return errors.New("orders: no program")
	case len(o.Mounts) > 0 && o.Mounts[0].At != "/":
		return fmt.Errorf("orders: the first mount goes to %q, want /", o.Mounts[0].At)
	}
	for _, fd := range o.Keep {
		if fd < 3 || fd == o.Status {
			return fmt.Errorf("orders: keep descriptor %d: want 3 or more, and not that of the report", fd)
		}
	}
	return nil
}

// Trampoline is the name of the program.
const Trampoline = "ringfence-jail"
