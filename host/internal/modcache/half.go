package modcache

import (
	"os"
	"path/filepath"
)

// halfPrefix begins the names of files that are being written. Whoever writes
// one holds a lock on it, which the kernel drops when the host dies: an unlocked
// one is nobody's.
const halfPrefix = "new-"

// create makes a file, mode 0600, that sweep leaves alone for as long as it is
// open.
func create(dir string) (*os.File, error) {
	for {
		f, err := os.CreateTemp(dir, halfPrefix+"*")
		if err != nil {
			return nil, err
		}
		locked, err := tryLock(f)
		if err != nil {
			f.Close()
			os.Remove(f.Name())
			return nil, err
		}
		if locked && stillThere(f) {
			return f, nil
		}
		f.Close() // a sweep came between making and locking it
	}
}

func stillThere(f *os.File) bool {
	mine, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Lstat(f.Name())
	return err == nil && os.SameFile(mine, there)
}

// sweep removes the half-written files of hosts that died. One that cannot be
// removed costs space until the next time.
func sweep(dir string) {
	left, err := filepath.Glob(filepath.Join(dir, halfPrefix+"*"))
	if err != nil {
		return
	}
	for _, path := range left {
		f, err := openRegular(path)
		if err != nil {
			continue
		}
		if locked, err := tryLock(f); locked && err == nil {
			os.Remove(path)
		}
		f.Close()
	}
}
