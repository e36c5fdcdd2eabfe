package seccomp

import "errors"

// ErrUnsupported says that this system or architecture has no filters, or that
// this package has no tables for it.
var ErrUnsupported = errors.New("seccomp filters are not supported here")
