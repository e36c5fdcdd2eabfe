//go:build !linux

package workspace

import (
	"errors"
	"os"
)

// renameAt fails: without the kernel's help a name could be taken meanwhile.
func renameAt(*os.Root, string, *os.Root, string) error {
	return errors.New("renaming needs Linux")
}
