package state

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// The file: a head, the path of the policy file with its length before it, then for
// each key in order the lengths of key and value, the version, the key and the value;
// then a SHA-256 of all that. Lengths are uvarints.
const (
	magic       = "ringfence state2"
	idSize      = 26 // rand.Text
	versionSize = 26
	headSize    = len(magic) + idSize
	// maxFile is larger than any policy allows, so that a policy that grants less
	// than before still finds what there is.
	maxFile = 256 << 20
	// maxPolicy is the longest path of a policy file that is kept, in bytes. Without
	// it, nobody finds the state as his own when the policy has moved.
	maxPolicy = 4 << 10
	// unfinished ends the names of files that are being written.
	unfinished = ".new"
)

var errDamaged = errors.New("the file is damaged")

func (s *State) path() string { return filepath.Join(s.cfg.Dir, s.cfg.Owner.file()) }

// load brings what is in memory up to date with the file. The caller holds mu.
func (s *State) load() error {
	f, err := openFile(s.path())
	if errors.Is(err, fs.ErrNotExist) {
		s.hold("", nil)
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() > int64(headSize)+maxFile {
		return fmt.Errorf("%s: %w: %d bytes", s.path(), errDamaged, info.Size())
	}
	head := make([]byte, headSize)
	if _, err := io.ReadFull(f, head); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err // of the disk: the file can be as good as ever
	} else if err != nil || string(head[:len(magic)]) != magic {
		return fmt.Errorf("%s: %w: it does not begin as one", s.path(), errDamaged)
	}
	if id := string(head[len(magic):]); id == s.id {
		return nil // nobody has written since
	}
	rest, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return err
	}
	values, err := decode(head, rest)
	if err != nil {
		return fmt.Errorf("%s: %w", s.path(), err)
	}
	s.hold(string(head[len(magic):]), values)
	return nil
}

// decode reads what follows the head.
func decode(head, rest []byte) (map[string]value, error) {
	if len(rest) > maxFile || len(rest) < sha256.Size {
		return nil, fmt.Errorf("%w: %d bytes", errDamaged, len(rest))
	}
	content, sum := rest[:len(rest)-sha256.Size], rest[len(rest)-sha256.Size:]
	h := sha256.New()
	h.Write(head)
	h.Write(content)
	if !bytes.Equal(h.Sum(nil), sum) {
		return nil, fmt.Errorf("%w: its checksum is another", errDamaged)
	}
	values := map[string]value{}
	r := bytes.NewReader(content)
	policy, err := binary.ReadUvarint(r)
	if err != nil || policy > maxPolicy || policy > uint64(r.Len()) {
		return nil, fmt.Errorf("%w: a policy of %d bytes", errDamaged, policy)
	}
	if _, err := r.Seek(int64(policy), io.SeekCurrent); err != nil {
		return nil, err
	}
	for r.Len() > 0 {
		keySize, err1 := binary.ReadUvarint(r)
		valueSize, err2 := binary.ReadUvarint(r)
		if err := errors.Join(err1, err2); err != nil || keySize > MaxKey || valueSize > MaxValue || uint64(r.Len()) < versionSize+keySize+valueSize {
			return nil, fmt.Errorf("%w: an entry of %d and %d bytes", errDamaged, keySize, valueSize)
		}
		at := content[len(content)-r.Len():]
		key := string(at[versionSize:][:keySize])
		if _, twice := values[key]; twice || CheckKey(key) != nil {
			return nil, fmt.Errorf("%w: the key %.80q", errDamaged, key)
		}
		values[key] = value{string(at[:versionSize]), at[versionSize+keySize:][:valueSize:valueSize]}
		if _, err := r.Seek(int64(versionSize+keySize+valueSize), io.SeekCurrent); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// store replaces the file. The caller holds mu and the lock.
func (s *State) store(values map[string]value) (err error) {
	s.sweep()
	id := rand.Text()
	f, err := os.CreateTemp(s.cfg.Dir, s.cfg.Owner.file()+".*"+unfinished)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	err = encode(f, id, s.cfg.Owner.Policy, values)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), s.path()); err != nil {
		return err
	}
	s.hold(id, values)
	return nil
}

// sweep removes what a host left that died while it wrote: under the lock, nobody
// else writes.
func (s *State) sweep() {
	if s.swept {
		return
	}
	s.swept = true
	entries, _ := os.ReadDir(s.cfg.Dir) // a pattern could not have the folder's own name in it
	for _, e := range entries {
		if name := e.Name(); strings.HasPrefix(name, s.cfg.Owner.file()+".") && strings.HasSuffix(name, unfinished) {
			_ = os.Remove(filepath.Join(s.cfg.Dir, name))
		}
	}
}

func encode(f io.Writer, id, policy string, values map[string]value) error {
	if len(policy) > maxPolicy {
		policy = ""
	}
	h := sha256.New()
	w := bufio.NewWriterSize(io.MultiWriter(f, h), 64<<10)
	_, _ = w.WriteString(magic + id) // errors stay until Flush
	sizes := binary.AppendUvarint(nil, uint64(len(policy)))
	_, _ = w.Write(sizes)
	_, _ = w.WriteString(policy)
	for _, key := range slices.Sorted(maps.Keys(values)) {
		v := values[key]
		sizes = binary.AppendUvarint(binary.AppendUvarint(sizes[:0], uint64(len(key))), uint64(len(v.bytes)))
		_, _ = w.Write(sizes)
		_, _ = w.WriteString(v.version + key)
		_, _ = w.Write(v.bytes)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := f.Write(h.Sum(nil))
	return err
}
