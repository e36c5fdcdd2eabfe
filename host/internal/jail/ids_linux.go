package jail

import (
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"os"
	"strings"
	"sync"
)

// Sandboxes of a root host have uids and gids of their own from this range,
// which no distribution hands out (systemd's containers end below it; nspawn
// and subordinate ids have 524288 to 1879048191 in pieces of 65536 that these
// do not come near in practice). They are drawn at random, so that two hosts
// need not agree: 100 sandboxes meet by chance once in 50 000 times.
const (
	firstID = 0x60000000
	idCount = 1 << 28
)

// ids are those in use by this host.
type ids struct {
	mu   sync.Mutex
	used map[int]bool
}

// take returns a uid that is also a gid.
func (s *ids) take() (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range 100 {
		n, err := rand.Int(rand.Reader, big.NewInt(idCount))
		if err != nil {
			return 0, err
		}
		id := firstID + int(n.Int64())
		if !s.used[id] {
			if s.used == nil {
				s.used = make(map[int]bool)
			}
			s.used[id] = true
			return id, nil
		}
	}
	return 0, errors.New("no free uid for a sandbox")
}

func (s *ids) give(id int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.used, id)
}

// ownIDs reports whether this process may hand out ids of the range: it is root,
// and of a user namespace (a container's, say) that has them.
func ownIDs() error {
	if os.Geteuid() != 0 {
		return errors.New("only root can hand out uids")
	}
	for _, name := range []string{"uid_map", "gid_map"} {
		b, err := os.ReadFile("/proc/self/" + name)
		if err != nil {
			return err
		}
		if !mapped(string(b), firstID, idCount) {
			return fmt.Errorf("this container's %s has no ids from %d on", name, firstID)
		}
	}
	return nil
}

func mapped(table string, first, count uint64) bool {
	for line := range strings.Lines(table) {
		var inside, outside, n uint64
		if _, err := fmt.Sscan(line, &inside, &outside, &n); err != nil {
			continue
		}
		if inside <= first && first+count <= inside+n {
			return true
		}
	}
	return false
}
