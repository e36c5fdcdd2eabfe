package host

import (
	"path/filepath"

	"github.com/ringfence/ringfence/host/internal/modcache"
	"github.com/ringfence/ringfence/policies"
)

// maxCacheBytes is what compiled modules may take on disk: about 30 Go tools.
const maxCacheBytes = 1 << 30

// Cache is the folder of compiled modules.
type Cache = modcache.Cache

// CacheEntry is one compiled module.
type CacheEntry = modcache.Entry

// OpenCache opens the compiled modules of hosts with these settings.
func OpenCache(settings policies.Settings) (*Cache, error) {
	return modcache.Open(filepath.Join(settings.StateDir, "modules"), maxCacheBytes)
}
