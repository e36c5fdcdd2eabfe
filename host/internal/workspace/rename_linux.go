package workspace

import (
	"os"

	"golang.org/x/sys/unix"
)

// renameAt renames between two open folders, and fails if the new name is
// taken: of the two looks that it would else need, somebody could come between.
func renameAt(from *os.Root, old string, to *os.Root, name string) error {
	a, err := from.Open(".")
	if err != nil {
		return err
	}
	defer a.Close()
	b, err := to.Open(".")
	if err != nil {
		return err
	}
	defer b.Close()
	return unix.Renameat2(int(a.Fd()), old, int(b.Fd()), name, unix.RENAME_NOREPLACE)
}
