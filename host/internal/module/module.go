// Package module takes a plugin's module from its file to the bytes that are
// compiled: read once and bounded, hashed, compared with the pin, judged, and
// rewritten so that its memory and tables cannot outgrow the policy.
//
// The file is read a single time. What is hashed is what is judged and
// compiled; changing the file in between changes nothing.
package module

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/ringfence/ringfence/pluginkit"
	"github.com/ringfence/ringfence/pluginkit/wasmbin"
)

// MaxTableElements is how far a guest's tables may grow, in elements. A Go
// program of 10 MB has 20 000 functions in its table; an element costs the
// engine 16 bytes.
const MaxTableElements = 1 << 20

// Module is a module that is fit to be compiled.
type Module struct {
	// Digest is the SHA-256 of the file.
	Digest [sha256.Size]byte
	// Limited is the rewritten module.
	Limited []byte
	// MemoryPages is the maximum that was written into it.
	MemoryPages uint64
	// Info is what the file says of itself.
	Info *wasmbin.Module
}

// PinError means that the file is not the one the policy names.
type PinError struct{ Path, Want, Got string }

func (e *PinError) Error() string {
	return fmt.Sprintf("%s has SHA-256 %s, but the policy pins %s: get the pinned file, or set sha256 to the new digest after reviewing it", e.Path, e.Got, e.Want)
}

// Read reads a module file of at most pluginkit.MaxModule bytes.
func Read(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("there is no module at %s: build the tool first, or correct its source", path)
	case err != nil:
		return nil, fmt.Errorf("read the module: %w", err)
	case info.IsDir():
		return nil, fmt.Errorf("%s is a folder: source names a .wasm file", path)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the module: %w", err)
	}
	defer f.Close()
	// As large as it is now, and one more to see its end: growing up to there copies a
	// module several times. It may change meanwhile; what was read counts.
	into := bytes.NewBuffer(make([]byte, 0, min(info.Size(), pluginkit.MaxModule)+bytes.MinRead))
	if _, err := into.ReadFrom(io.LimitReader(f, pluginkit.MaxModule+1)); err != nil {
		return nil, fmt.Errorf("read the module: %w", err)
	}
	b := into.Bytes()
	if len(b) > pluginkit.MaxModule {
		return nil, fmt.Errorf("%s is larger than a module may be (maximum %d bytes)", path, pluginkit.MaxModule)
	}
	return b, nil
}

// Load reads, checks and rewrites the module at path. An empty pin accepts any
// digest. memory is the guest's limit in bytes.
func Load(path, pin string, memory uint64) (*Module, error) {
	b, err := Read(path)
	if err != nil {
		return nil, err
	}
	m := &Module{Digest: sha256.Sum256(b), MemoryPages: memory / wasmbin.PageSize}
	if got := hex.EncodeToString(m.Digest[:]); pin != "" && got != pin {
		return nil, &PinError{Path: path, Want: pin, Got: got}
	}
	if m.Info, err = wasmbin.Parse(b); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := m.Info.CheckGuest(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if m.Limited, err = m.Info.Limit(m.MemoryPages, MaxTableElements); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}
