package state

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Owner is whose a state is. Policies can share a folder, and plugins of two policies
// a name: what one of them keeps is not for the other.
type Owner struct {
	// Plugin is the name of the plugin, and Policy the absolute path of the file that
	// declares it.
	Plugin, Policy string
	// Name, if set, is what the operator calls the state, and says whose it is
	// instead.
	Name string
}

// file is the name of the owner's file. Names of policies and plugins have no @.
func (o Owner) file() string {
	if o.Name != "" {
		return o.Name
	}
	sum := sha256.Sum256([]byte(o.Policy))
	return o.Plugin + "@" + hex.EncodeToString(sum[:8])
}

// Orphan is a state without an owner.
type Orphan struct {
	File   string // where it lies
	Policy string // the policy file that it was of
}

// Path is where the state lies, or will.
func (s *State) Path() string { return s.path() }

// Orphans are states that this one could be meant to go on with: there is none of its
// owner yet, and those are of plugins of the same name, whose policy files are gone or
// are files of this policy, which declares the plugin elsewhere now. ours are the
// absolute paths of the policy's files. Of a state that was given a name it is the one
// that the plugin had without.
func (s *State) Orphans(ours []string) ([]Orphan, error) {
	if _, err := os.Lstat(s.path()); !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if o := s.cfg.Owner; o.Name != "" {
		o.Name = ""
		file := filepath.Join(s.cfg.Dir, o.file())
		if _, err := os.Lstat(file); err != nil {
			return nil, nil
		}
		return []Orphan{{file, o.Policy}}, nil
	}
	entries, err := os.ReadDir(s.cfg.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var orphans []Orphan
	for _, e := range entries {
		if name := e.Name(); !strings.HasPrefix(name, s.cfg.Owner.Plugin+"@") || strings.Contains(name, ".") {
			continue // somebody else's, or a lock
		}
		file := filepath.Join(s.cfg.Dir, e.Name())
		policy, err := policyOf(file)
		if err != nil {
			continue // no state, or a damaged one
		}
		if _, err := os.Lstat(policy); policy != "" && (errors.Is(err, fs.ErrNotExist) || slices.Contains(ours, policy)) {
			orphans = append(orphans, Orphan{file, policy})
		}
	}
	return orphans, nil
}

// policyOf reads which policy file a state is of.
func policyOf(file string) (string, error) {
	f, err := openFile(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	r := bufio.NewReader(io.LimitReader(f, int64(headSize+binary.MaxVarintLen64+maxPolicy)))
	head := make([]byte, headSize)
	if _, err := io.ReadFull(r, head); err != nil || string(head[:len(magic)]) != magic {
		return "", errDamaged
	}
	n, err := binary.ReadUvarint(r)
	if err != nil || n > maxPolicy {
		return "", fmt.Errorf("%w: a policy of %d bytes", errDamaged, n)
	}
	policy := make([]byte, n)
	_, err = io.ReadFull(r, policy)
	return string(policy), err
}
