// Package sealed hands bytes to a sandbox in a form that nobody can change any
// more: an anonymous file in memory (memfd) with every write sealed off. What
// was hashed or authenticated while it was written is what the sandbox reads.
// The sandbox inherits the descriptor, so it needs no file system to get at it.
package sealed

import "errors"

// ErrUnsupported means that this system has no sealed memory files.
var ErrUnsupported = errors.New("sealed memory files need Linux 3.17 or later")
