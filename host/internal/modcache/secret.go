package modcache

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	secretName = "key"
	secretSize = 32
)

// loadSecret reads the cache's key, or makes one.
func loadSecret(dir string) ([]byte, error) {
	path := filepath.Join(dir, secretName)
	secret, err := readSecret(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return secret, err
	}
	if err := makeSecret(dir, path); err != nil {
		return nil, fmt.Errorf("make the key of the compiled modules: %w", err)
	}
	return readSecret(path)
}

// makeSecret writes a new key. Two hosts that start at once both write one; the
// link of the second fails, and both read the first one's.
func makeSecret(dir, path string) error {
	f, err := create(dir)
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if _, err := io.CopyN(f, rand.Reader, secretSize); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// readSecret refuses a key that others could have read or written: they could
// have forged every entry.
func readSecret(path string) ([]byte, error) {
	f, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if err := checkOwner(path, info); err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("the key %s can be read by others (mode %04o): remove the folder %s and start again",
			path, info.Mode().Perm(), filepath.Dir(path))
	}
	secret := make([]byte, secretSize)
	if _, err := io.ReadFull(f, secret); err != nil || info.Size() != secretSize {
		return nil, fmt.Errorf("the key %s has %d bytes instead of %d: remove the folder %s and start again",
			path, info.Size(), secretSize, filepath.Dir(path))
	}
	return secret, nil
}

// checkFolder refuses a folder in which others can put files, or that leads
// elsewhere.
func checkFolder(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a folder", dir)
	}
	if err := checkOwner(dir, info); err != nil {
		return err
	}
	if info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%s can be written by others (mode %04o): remove it and start again", dir, info.Mode().Perm())
	}
	return nil
}

// openRegular opens a regular file for reading. A FIFO in its place would
// block us for ever, a symlink would lead elsewhere.
func openRegular(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|noWait, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", path)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
