package jail

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Folders and files of a staged root, as package stage lays them out.
const (
	// SocketFolder is the empty folder where the socket's folder is mounted.
	SocketFolder = "s"
	// LibraryFolder holds the program's shared libraries.
	LibraryFolder = "lib"
	// WorkspaceFolder holds an empty folder for each workspace.
	WorkspaceFolder = "workspace"
)

// way is how processes are confined here.
type way int

const (
	neither way = iota
	realRoot
	userNS
)

func (w way) String() string {
	return [...]string{"no namespaces", "namespaces of real root", "user namespace"}[w]
}

// Jail confines the sandbox processes of one host.
type Jail struct {
	trampoline *os.File
	null       *os.File
	way        way
	ownIDs     bool
	landlock   bool
	groups     *hierarchy // nil without
	found      *Found
	ids        ids
}

// Open tries every layer with the staged trampoline, which stays open: it is
// executed through its descriptor, since the uid that executes it cannot enter
// the folder. The trampoline's folder serves as the root that is tried, so it
// needs an empty SocketFolder.
func Open(ctx context.Context, trampoline string) (*Jail, error) {
	fd, err := unix.Open(trampoline, unix.O_PATH|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, fmt.Errorf("open the trampoline %s: %w", trampoline, err)
	}
	j := &Jail{trampoline: os.NewFile(uintptr(fd), trampoline)}
	if j.null, err = os.OpenFile(os.DevNull, os.O_RDWR, 0); err == nil {
		err = j.probe(ctx, filepath.Dir(trampoline))
	}
	if err != nil {
		_ = j.Close()
		return nil, err
	}
	return j, nil
}

// Found says which layers processes of this jail have.
func (j *Jail) Found() *Found { return j.found }

// Close gives up the trampoline. Cells that run are not concerned.
func (j *Jail) Close() error {
	return errors.Join(j.trampoline.Close(), j.null.Close())
}

// Room is what one process gets.
type Room struct {
	// Program is the staged executable. Its folder becomes the root: it holds
	// LibraryFolder, if the program needs libraries, and an empty SocketFolder.
	Program string
	// Loader is the path of the program's ELF interpreter, which the root
	// holds too; "" for a static program.
	Loader string
	// SocketDir is the private folder of the socket, and Socket is it, open.
	SocketDir string
	Socket    *os.File
	// Args are the program's arguments, its name first; Env its environment.
	Args, Env []string
	// Seccomp names the filter to install before the program is executed; ""
	// for one that installs its own.
	Seccomp string
	// Notices asks for that filter to be one whose refusals the host hears of.
	Notices bool
	// Workspaces are the machine's folders that the process sees.
	Workspaces []Workspace
	// Memory, in bytes, is what the control group allows; 0 is no limit.
	Memory uint64
	// Processes and CPUs bound threads and processors; 0 is the default.
	Processes, CPUs int
}
