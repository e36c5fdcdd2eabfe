package orders

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// Max bounds orders and reports, in bytes.
const Max = 256 << 10

// Layers of the jail, in the order in which the trampoline applies them.
const (
	Descriptors  = "descriptors"      // all but the named ones are closed
	Session      = "session"          // it leads one of its own, without a terminal
	Limits       = "limits"           // rlimits
	Root         = "root"             // mounts are private, and the root is the program's own
	Names        = "host names"       // the UTS namespace's names are emptied
	Capabilities = "capabilities"     // none, and none can come back
	Identity     = "identity"         // uid and gid
	Parent       = "parent death"     // the process dies with its host
	NoNewPrivs   = "no new privilege" // setuid files are without effect
	Landlock     = "landlock"
	Signals      = "signals" // mask and dispositions as after boot
	Opaque       = "opaque"  // not dumpable: the program puts it on, a probe tries it
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
	// Files are the numbers that the descriptors which come with the orders get
	// in the program, in the order in which they come. It gets no others.
	Files []int `json:"files"`

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
	// Notices says that the host wants to hear of the calls that this filter
	// refuses; the pipe for it is seccomp.NoticeFD, which the program does not get.
	Notices bool `json:"notices"`

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
	// Tree says which of the descriptors behind those of Files is a detached
	// mount with its attributes set; -1: make one of Path.
	Tree int  `json:"tree"`
	Path Text `json:"path"`
	// At is where it goes: "/", or a folder of the tree that is mounted there.
	At string `json:"at"`
	// Write and Exec allow writing to it and executing from it.
	Write bool `json:"write"`
	Exec  bool `json:"exec"`
	// NoLinks refuses a Path that leads through symbolic links.
	NoLinks bool `json:"no_links"`
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

func (o *Orders) encode() ([]byte, error) {
	b, err := json.Marshal(o)
	if err == nil && len(b) > Max {
		err = fmt.Errorf("orders of %d bytes (maximum %d)", len(b), Max)
	}
	return b, err
}

// decode reads orders that came with so many descriptors.
func decode(b []byte, descriptors int) (*Orders, error) {
	switch {
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
	return &o, o.check(descriptors)
}

// maxFile is the highest number that a descriptor of a program can have.
const maxFile = 63

// check refuses orders that would leave out more than they say.
func (o *Orders) check(descriptors int) error {
	switch {
	case !o.Probe && (o.Program == "" || len(o.Args) == 0):
		return errors.New("orders: no program")
	case len(o.Mounts) > 0 && o.Mounts[0].At != "/":
		return fmt.Errorf("orders: the first mount goes to %q, want /", o.Mounts[0].At)
	}
	need := len(o.Files)
	for i, n := range o.Files {
		if n < 0 || n > maxFile || slices.Contains(o.Files[:i], n) {
			return fmt.Errorf("orders: descriptor %d: want numbers of 0 to %d, each once", n, maxFile)
		}
	}
	for _, m := range o.Mounts {
		if m.Tree < -1 {
			return fmt.Errorf("orders: mount %s: tree %d: want -1 or more", m.At, m.Tree)
		}
		need = max(need, len(o.Files)+m.Tree+1)
	}
	if descriptors != need {
		return fmt.Errorf("orders: %d descriptors came, %d are named", descriptors, need)
	}
	return nil
}

// Trampoline is the name of the program.
const Trampoline = "ringfence-jail"
