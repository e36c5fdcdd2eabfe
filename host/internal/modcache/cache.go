package modcache

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/ringfence/ringfence/host/internal/sealed"
)

// ErrMiss means that the cache has no entry that may be loaded.
var ErrMiss = errors.New("not in the cache of compiled modules")

const (
	magic      = "RFMODC02"
	labelAt    = len(magic) + sha256.Size + 8
	labelSize  = 512
	headerSize = labelAt + labelSize + sha256.Size // magic, key, length, label, code
	entryExt   = ".compiled"
)

// Cache is a folder of compiled modules. It is safe for concurrent use, by
// several processes too.
type Cache struct {
	dir    string
	secret []byte
	max    int64
}

// Open opens the cache in dir, which it makes, together with its key, when it
// is not there. What hosts that died left half written is removed. Entries
// beyond max bytes in all are dropped, the longest unused first.
func Open(dir string, max int64) (*Cache, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder for compiled modules: %w", err)
	}
	if err := checkFolder(dir); err != nil {
		return nil, fmt.Errorf("the folder for compiled modules: %w", err)
	}
	secret, err := loadSecret(dir)
	if err != nil {
		return nil, err
	}
	sweep(dir)
	return &Cache{dir: dir, secret: secret, max: max}, nil
}

// Get returns the compiled code of an entry in sealed memory, with its size.
// The caller owns the descriptor. An entry that is missing, damaged, or was not
// written by a holder of the key gives ErrMiss; a damaged one is removed.
func (c *Cache) Get(key Key) (*os.File, int64, error) {
	path := c.path(key)
	f, err := openRegular(path)
	if err != nil {
		return nil, 0, fmt.Errorf("%w: %w", ErrMiss, err)
	}
	defer f.Close()
	code, n, err := c.read(key, f)
	if errors.Is(err, ErrMiss) {
		os.Remove(path)
	}
	if err != nil {
		return nil, 0, err
	}
	now := time.Now()
	os.Chtimes(path, now, now) // the order of eviction; a failure only costs that
	return code, n, nil
}

// read authenticates an entry while it copies it into sealed memory.
func (c *Cache) read(key Key, f *os.File) (*os.File, int64, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, 0, fmt.Errorf("%w: %w", ErrMiss, err)
	}
	header := make([]byte, headerSize)
	if _, err := io.ReadFull(f, header); err != nil {
		return nil, 0, fmt.Errorf("%w: shorter than a header", ErrMiss)
	}
	signed, code := header[:headerSize-sha256.Size], header[headerSize-sha256.Size:]
	length := int64(binary.LittleEndian.Uint64(signed[len(magic)+sha256.Size:]))
	switch {
	case string(signed[:len(magic)]) != magic:
		return nil, 0, fmt.Errorf("%w: another version of the cache", ErrMiss)
	case Key(signed[len(magic):len(magic)+sha256.Size]) != key:
		return nil, 0, fmt.Errorf("%w: an entry for another module", ErrMiss)
	case length < 0 || length != info.Size()-int64(headerSize):
		return nil, 0, fmt.Errorf("%w: %d bytes of code, header says %d", ErrMiss, info.Size()-int64(headerSize), length)
	}
	memory, err := sealed.New("compiled")
	if err != nil {
		return nil, 0, err
	}
	defer memory.Close()
	mac := hmac.New(sha256.New, c.secret)
	mac.Write(signed)
	if _, err := io.CopyBuffer(io.MultiWriter(mac, memory), io.LimitReader(f, length), make([]byte, 1<<20)); err != nil {
		return nil, 0, fmt.Errorf("read a compiled module: %w", err)
	}
	if memory.Size() != length || !hmac.Equal(mac.Sum(nil), code) {
		return nil, 0, fmt.Errorf("%w: it was changed, or written with another key", ErrMiss)
	}
	sealedFile, err := memory.Seal()
	return sealedFile, length, err
}

// Put stores compiled code: what write writes. It appears whole or not at all.
func (c *Cache) Put(key Key, label Label, write func(io.Writer) error) error {
	f, err := create(c.dir)
	if err != nil {
		return fmt.Errorf("store a compiled module: %w", err)
	}
	defer os.Remove(f.Name()) // after the rename there is nothing of that name
	defer f.Close()
	if err := c.fill(f, key, label, write); err != nil {
		return fmt.Errorf("store a compiled module: %w", err)
	}
	// Closed any earlier, its lock would be gone while it still has its name. An
	// entry that then turns out not to be on the disk is not authentic.
	if err := os.Rename(f.Name(), c.path(key)); err != nil {
		return fmt.Errorf("store a compiled module: %w", err)
	}
	return c.Trim()
}

func (c *Cache) fill(f *os.File, key Key, label Label, write func(io.Writer) error) error {
	if _, err := f.Seek(int64(headerSize), io.SeekStart); err != nil {
		return err
	}
	buffered := bufio.NewWriterSize(f, 1<<20)
	counted := &counter{w: buffered}
	// The length comes before the code in what is authenticated, so the code
	// is read back once: cheap beside compiling it.
	if err := write(counted); err != nil {
		return err
	}
	if err := buffered.Flush(); err != nil {
		return err
	}
	signed := append([]byte(magic), key[:]...)
	signed = binary.LittleEndian.AppendUint64(signed, uint64(counted.n))
	signed = label.append(signed)
	mac := hmac.New(sha256.New, c.secret)
	mac.Write(signed)
	if _, err := io.Copy(mac, io.NewSectionReader(f, int64(headerSize), counted.n)); err != nil {
		return err
	}
	_, err := f.WriteAt(mac.Sum(signed), 0)
	return err
}

type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

func (c *Cache) path(key Key) string { return filepath.Join(c.dir, key.String()+entryExt) }
