package pluginkit

import (
	"errors"
	"fmt"
	"os"
)

// WorkspaceVariable begins the names of the environment variables by which a
// host tells a native plugin where its workspaces are. The rest of the name is
// the workspace's.
const WorkspaceVariable = "RINGFENCE_WORKSPACE_"

// ErrNoWorkspace means that the policy grants no workspace of that name.
var ErrNoWorkspace = errors.New("the policy grants no such workspace")

// Workspace is the folder of the workspace that the policy grants under that
// name, for a native plugin. Symbolic links in it lead nowhere; what may be
// written is the policy's to say. The error answers to ErrNoWorkspace.
//
// os.OpenRoot on it keeps a tool's own mistakes inside; that the tool gets
// nowhere else is the jail's doing.
func Workspace(name string) (string, error) {
	path := os.Getenv(WorkspaceVariable + name)
	if path == "" {
		return "", fmt.Errorf("workspace %q: %w: add workspace %q { path = … } to the plugin's block", name, ErrNoWorkspace, name)
	}
	return path, nil
}
