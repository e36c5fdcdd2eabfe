//go:build !linux || !(amd64 || arm64)

package seccomp

import (
	"fmt"
	"runtime"
)

// Install installs nothing here: filters need Linux on amd64 or arm64.
func (p Profile) Install(Stage) error {
	return fmt.Errorf("%w: %s/%s", ErrUnsupported, runtime.GOOS, runtime.GOARCH)
}

// Install installs nothing here: filters need Linux on amd64 or arm64.
func (f Filter) Install() error {
	return fmt.Errorf("%w: %s/%s", ErrUnsupported, runtime.GOOS, runtime.GOARCH)
}
