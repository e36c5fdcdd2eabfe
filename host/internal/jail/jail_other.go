//go:build !linux

package jail

import (
	"context"
	"errors"
	"os"
)

// Jail is nothing on this system.
type Jail struct{}

// Open fails: sandboxes run on Linux only.
func Open(context.Context, string) (*Jail, error) {
	return nil, errors.New("sandboxes need Linux")
}

// Found is empty.
func (*Jail) Found() *Found { return &Found{} }

// Workspaces are not there either.
func (*Jail) Workspaces(string) Layer { return Layer{Name: Workspaces, Why: "sandboxes need Linux"} }

// Close does nothing.
func (*Jail) Close() error { return nil }

// Folders of a staged root.
const (
	SocketFolder    = "s"
	LibraryFolder   = "lib"
	WorkspaceFolder = "workspace"
)

// Room is what one process gets.
type Room struct {
	Program, Loader, SocketDir string
	Socket                     *os.File
	Args, Env                  []string
	Seccomp                    string
	Notices                    bool
	Workspaces                 []Workspace
	Memory                     uint64
	Processes, CPUs            int
}
