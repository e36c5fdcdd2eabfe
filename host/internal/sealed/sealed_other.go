//go:build !linux

package sealed

import "os"

// File cannot be made on this system.
type File struct{}

// New reports ErrUnsupported.
func New(string) (*File, error) { return nil, ErrUnsupported }

// Write reports ErrUnsupported.
func (*File) Write([]byte) (int, error) { return 0, ErrUnsupported }

// Size is 0.
func (*File) Size() int64 { return 0 }

// Seal reports ErrUnsupported.
func (*File) Seal() (*os.File, error) { return nil, ErrUnsupported }

// Close does nothing.
func (*File) Close() {}

// Bytes reports ErrUnsupported.
func Bytes(string, []byte) (*os.File, error) { return nil, ErrUnsupported }
