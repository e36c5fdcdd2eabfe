package broker

import (
	"errors"
	"io"
	"os"
	"sync"
)

// spoolMemory is how much of one body stays in memory.
const spoolMemory = 1 << 20

var errSpoolClosed = errors.New("the body is closed")

// spool holds one response body: in memory while it is small and the plugin has
// memory left, else in a file that has no name, so that it goes when the host
// goes. It is written by one goroutine at a time, and read by many.
type spool struct {
	quota  *quota
	dir    string
	staged bool // what it holds is the guest's own, to be written to a file

	mu     sync.RWMutex // held for reading by readers, for writing by the rest
	memory []byte
	file   *os.File // when not nil, holds everything
	size   int64
	room   int64 // of the disk's quota, taken before it is known to be needed
	closed bool
}

func newSpool(q *quota, dir string) *spool { return &spool{quota: q, dir: dir} }

// reserve takes room for as many bytes as there is, most at the most, and says for how
// many: that is for a body which is there as a whole before it can be written.
func (s *spool) reserve(most int64) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.quota.takeUpTo(&s.quota.disk, most)
	s.room += n
	return n
}

// settle gives back what was reserved and not needed.
func (s *spool) settle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unreserve()
}

// unreserve is settle for who holds mu.
func (s *spool) unreserve() {
	s.quota.give(&s.quota.disk, s.room)
	s.room = 0
}

// takeDisk takes n bytes of what was reserved, then of the quota, or nothing. The caller
// holds mu.
func (s *spool) takeDisk(n int64) bool {
	reserved := min(s.room, n)
	if !s.quota.take(&s.quota.disk, n-reserved) {
		return false
	}
	s.room -= reserved
	return true
}

// Size is the number of bytes in the spool.
func (s *spool) Size() int64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.size
}

// Write appends. It fails with errNoSpace when the plugin's quota is used up.
func (s *spool) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, errSpoolClosed
	}
	n := int64(len(p))
	if s.file == nil {
		if s.size+n <= spoolMemory && s.quota.take(&s.quota.memory, n) {
			s.memory = append(s.memory, p...)
			s.size += n
			return len(p), nil
		}
		if err := s.moveToFile(); err != nil {
			return 0, err
		}
	}
	if !s.takeDisk(n) {
		return 0, errNoSpace
	}
	s.size += n
	return s.file.Write(p)
}

// moveToFile puts what is in memory into a file.
func (s *spool) moveToFile() error {
	if !s.takeDisk(s.size) {
		return errNoSpace
	}
	f, err := unnamedFile(s.dir)
	if err == nil {
		if _, err = f.Write(s.memory); err != nil {
			_ = f.Close()
		}
	}
	if err != nil {
		s.quota.give(&s.quota.disk, s.size)
		return err
	}
	s.quota.give(&s.quota.memory, s.size)
	s.memory, s.file = nil, f
	return nil
}

// ReadAt reads as io.ReaderAt says.
func (s *spool) ReadAt(p []byte, off int64) (int, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	switch {
	case s.closed:
		return 0, errSpoolClosed
	case s.file != nil:
		return s.file.ReadAt(p, off)
	case off >= s.size:
		return 0, io.EOF
	}
	n := copy(p, s.memory[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Reader reads the whole body from its start.
func (s *spool) Reader() io.Reader { return io.NewSectionReader(s, 0, s.Size()) }

// Close frees the body. It can be called more than once.
func (s *spool) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	s.unreserve()
	if s.file != nil {
		_ = s.file.Close()
		s.quota.give(&s.quota.disk, s.size)
	} else {
		s.quota.give(&s.quota.memory, s.size)
	}
	s.memory, s.file = nil, nil
}

// removedFile is an unnamed file for systems that have none: it has a name for a
// moment.
func removedFile(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, "body-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}
