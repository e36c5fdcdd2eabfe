package sealed

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// seals end every way to change the file: its bytes, its size, and the seals.
const seals = unix.F_SEAL_WRITE | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_SEAL

// File is a memory file that can be written until Seal.
type File struct {
	file *os.File
	size int64
}

// New makes an empty memory file. The name is for /proc only.
func New(name string) (*File, error) {
	fd, err := unix.MemfdCreate("ringfence:"+name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		if errors.Is(err, unix.ENOSYS) {
			return nil, ErrUnsupported
		}
		return nil, fmt.Errorf("make a memory file for %s: %w", name, err)
	}
	return &File{file: os.NewFile(uintptr(fd), "memfd:"+name)}, nil
}

// Write appends to the file.
func (f *File) Write(b []byte) (int, error) {
	n, err := f.file.Write(b)
	f.size += int64(n)
	return n, err
}

// Size is the number of bytes written.
func (f *File) Size() int64 { return f.size }

// Seal ends writing and returns the descriptor, positioned at the start. The
// caller owns it.
func (f *File) Seal() (*os.File, error) {
	if _, err := unix.FcntlInt(f.file.Fd(), unix.F_ADD_SEALS, seals); err != nil {
		return nil, fmt.Errorf("seal a memory file: %w", err)
	}
	if _, err := f.file.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("rewind a memory file: %w", err)
	}
	file := f.file
	f.file = nil
	return file, nil
}

// Close drops a file that was not sealed. After Seal it does nothing.
func (f *File) Close() {
	if f.file != nil {
		f.file.Close()
		f.file = nil
	}
}

// Bytes returns b as a sealed memory file.
func Bytes(name string, b []byte) (*os.File, error) {
	f, err := New(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if _, err := f.Write(b); err != nil {
		return nil, fmt.Errorf("fill a memory file for %s: %w", name, err)
	}
	return f.Seal()
}
