package state

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"
)

// What a request can fail with. Other errors are the host's, and not for the guest.
var (
	// ErrKey: the key is not one.
	ErrKey = errors.New("bad key")
	// ErrNotFound: there is nothing of that key.
	ErrNotFound = errors.New("not found")
	// ErrExists: there is something of that key already.
	ErrExists = errors.New("exists already")
	// ErrChanged: the value is not of the version that the request depends on.
	ErrChanged = errors.New("changed meanwhile")
	// ErrLimit: it is larger, or more, than the plugin may have.
	ErrLimit = errors.New("limit")
	// ErrBusy: other hosts change the file all the time.
	ErrBusy = errors.New("busy")
	// ErrEnded: the request's context ended while it waited for others.
	ErrEnded = errors.New("the call has ended")
)

const (
	// MaxKey is the longest key, in bytes.
	MaxKey = 256
	// MaxValue is the largest value, in bytes.
	MaxValue = 1 << 20
	// Overhead is what each key counts for beside its own bytes and its value's.
	Overhead = 64
)

// Config is what a policy grants.
type Config struct {
	// Dir is a folder of the host's own, which is made if it is not there.
	Dir string
	// Owner is whose it is.
	Owner Owner
	// Size bounds keys and values together, in bytes.
	Size int64
	// Spend is asked before so many bytes are written, as Size counts them: a change
	// writes everything. An error of it is that of the change. nil: nobody is asked.
	Spend func(bytes int64) error
	// LockWait is how long a change waits for those of other hosts, which hold the
	// lock for one write each; 0 is 5 s.
	LockWait time.Duration
}

// State is that of one plugin. It is safe for concurrent use.
type State struct {
	cfg Config

	// changing holds a value while a change is under way. It is apart from mu, since
	// the lock of other hosts is waited for with it.
	changing chan struct{}

	mu     sync.Mutex // held during each request, but for what waits for others
	swept  bool
	id     string // of the content that is in memory, which is what follows
	values map[string]value
	keys   []string // in order
	size   int64    // as the limit counts
}

type value struct {
	version string
	bytes   []byte
}

// New makes the state of a plugin. It opens nothing yet.
func New(cfg Config) *State {
	if cfg.LockWait == 0 {
		cfg.LockWait = 5 * time.Second
	}
	return &State{cfg: cfg, changing: make(chan struct{}, 1)}
}

// If says what a change depends on.
type If struct {
	// Absent: there is no such key yet.
	Absent bool
	// Version, if set: the value is still of this version.
	Version string
}

// Entry is a key and what is known of its value.
type Entry struct {
	Key, Version string
	Size         int
}

// CheckKey says whether a key can be one.
func CheckKey(key string) error {
	switch {
	case key == "" || len(key) > MaxKey:
		return fmt.Errorf("%w: %d bytes (1 to %d are allowed)", ErrKey, len(key), MaxKey)
	case !utf8.ValidString(key) || strings.ContainsFunc(key, func(r rune) bool { return !unicode.IsPrint(r) }):
		return fmt.Errorf("%w: %.80q: want printable UTF-8", ErrKey, key)
	}
	return nil
}

// Get returns a value and its version. The bytes must not be changed.
func (s *State) Get(key string) ([]byte, Entry, error) {
	if err := CheckKey(key); err != nil {
		return nil, Entry{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.load(); err != nil {
		return nil, Entry{}, err
	}
	v, ok := s.values[key]
	if !ok {
		return nil, Entry{}, fmt.Errorf("%w: %q", ErrNotFound, key)
	}
	return v.bytes, Entry{key, v.version, len(v.bytes)}, nil
}

// Set makes the value of a key be b.
func (s *State) Set(ctx context.Context, key string, b []byte, on If) (Entry, error) {
	if len(b) > MaxValue {
		return Entry{}, fmt.Errorf("%w: a value of %d bytes (maximum %d)", ErrLimit, len(b), MaxValue)
	}
	v := value{rand.Text(), slices.Clone(b)}
	return Entry{key, v.version, len(b)}, s.change(ctx, key, on, &v)
}

// Delete removes a key, if it is there.
func (s *State) Delete(ctx context.Context, key, version string) error {
	return s.change(ctx, key, If{Version: version}, nil)
}

// change gives a key of the newest content a value, or takes it out (nil), and keeps
// others out meanwhile. What is refused costs no more than looking at the key.
//
// Attack: a process beside the host takes the file's lock and keeps it. Only changes wait
// for it, and no longer than their call.
func (s *State) change(ctx context.Context, key string, on If, v *value) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	select {
	case s.changing <- struct{}{}:
		defer func() { <-s.changing }()
	case <-ctx.Done():
		return ErrEnded
	}
	if err := os.MkdirAll(s.cfg.Dir, 0o700); err != nil {
		return err
	}
	unlock, err := lock(ctx, s.path()+".lock", s.cfg.LockWait)
	if err != nil {
		return err
	}
	defer unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.load(); err != nil {
		return err
	}
	old, there := s.values[key]
	switch {
	case on.Absent && there:
		return fmt.Errorf("%w: %q", ErrExists, key)
	case on.Version != "" && (!there || old.version != on.Version):
		return fmt.Errorf("%w: %q", ErrChanged, key)
	}
	size := s.size
	if there {
		size -= sizeOf(key, old)
	}
	if v != nil {
		if size += sizeOf(key, *v); size > s.cfg.Size && size > s.size {
			return fmt.Errorf("%w: the state would have %d bytes (maximum %d)", ErrLimit, size, s.cfg.Size)
		}
	}
	if s.cfg.Spend != nil {
		if err := s.cfg.Spend(size); err != nil {
			return err
		}
	}
	next := maps.Clone(s.values)
	if next == nil {
		next = map[string]value{}
	}
	if v != nil {
		next[key] = *v
	} else {
		delete(next, key)
	}
	return s.store(next)
}

// sizeOf is how many bytes a key and its value take, as the limit counts.
func sizeOf(key string, v value) int64 { return int64(len(key) + len(v.bytes) + Overhead) }

// hold makes values the content that is in memory. The caller holds mu.
func (s *State) hold(id string, values map[string]value) {
	s.id, s.values, s.keys, s.size = id, values, slices.Sorted(maps.Keys(values)), 0
	for key, v := range values {
		s.size += sizeOf(key, v)
	}
}

// List returns at most n keys that begin with prefix, in their order, those behind
// the key after.
func (s *State) List(prefix, after string, n int) (entries []Entry, more bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.load(); err != nil {
		return nil, false, err
	}
	first, found := slices.BinarySearch(s.keys, max(prefix, after))
	if found && s.keys[first] == after {
		first++
	}
	for _, key := range s.keys[first:] {
		if !strings.HasPrefix(key, prefix) {
			break
		}
		if len(entries) == n {
			return entries, true, nil
		}
		v := s.values[key]
		entries = append(entries, Entry{key, v.version, len(v.bytes)})
	}
	return entries, false, nil
}
