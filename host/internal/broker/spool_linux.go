package broker

import (
	"os"

	"golang.org/x/sys/unix"
)

// unnamedFile opens a file that never has a name. File systems that cannot do
// that (some network and overlay ones) get a file that is removed at once.
func unnamedFile(dir string) (*os.File, error) {
	in := dir
	if in == "" {
		in = os.TempDir()
	}
	f, err := os.OpenFile(in, unix.O_TMPFILE|os.O_RDWR|unix.O_EXCL, 0o600)
	if err != nil {
		return removedFile(dir)
	}
	return f, nil
}
