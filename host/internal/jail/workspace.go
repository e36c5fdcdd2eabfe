package jail

// Workspace is a folder of the machine's that a process sees, as
// /workspace/NAME where it has a root of its own.
type Workspace struct {
	Name string
	// Path is absolute and free of symbolic links. A mount below it is not seen.
	Path  string
	Write bool
}

// MaxFileSize is the largest file that a process may write to a workspace, in
// bytes. How many files is the file system's to bound: no limit of a process is
// about that.
const MaxFileSize = 1 << 30
