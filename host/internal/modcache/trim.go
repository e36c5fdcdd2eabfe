package modcache

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"
)

// Entry is one compiled module.
type Entry struct {
	Name string    `json:"key"`
	Size int64     `json:"bytes"`
	Used time.Time `json:"used"`
	Label
}

// List returns the entries, the most recently used first.
func (c *Cache) List() ([]Entry, error) {
	files, err := os.ReadDir(c.dir)
	if err != nil {
		return nil, fmt.Errorf("list compiled modules: %w", err)
	}
	var entries []Entry
	for _, file := range files {
		name, ok := strings.CutSuffix(file.Name(), entryExt)
		info, err := file.Info()
		if !ok || !isKey(name) || err != nil { // err: removed since
			continue
		}
		entries = append(entries, Entry{Name: name, Size: info.Size(), Used: info.ModTime(), Label: c.label(name)})
	}
	sort.Slice(entries, func(i, j int) bool { return entries[i].Used.After(entries[j].Used) })
	return entries, nil
}

// isKey tells our entries from files that somebody else put here.
func isKey(name string) bool {
	b, err := hex.DecodeString(name)
	return err == nil && len(b) == len(Key{})
}

// Trim drops the longest unused entries until the rest fits, but never the
// newest.
func (c *Cache) Trim() error {
	entries, err := c.List()
	if err != nil {
		return err
	}
	var sum int64
	for i, e := range entries {
		sum += e.Size
		if sum > c.max && i > 0 {
			if err := c.remove(e.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

// Clear drops all entries and returns how many there were and their bytes. The
// key stays.
func (c *Cache) Clear() (n int, bytes int64, err error) {
	entries, err := c.List()
	if err != nil {
		return 0, 0, err
	}
	for _, e := range entries {
		if err := c.remove(e.Name); err != nil {
			return n, bytes, err
		}
		n++
		bytes += e.Size
	}
	return n, bytes, nil
}

func (c *Cache) remove(name string) error {
	err := os.Remove(filepath.Join(c.dir, name+entryExt))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("drop a compiled module: %w", err)
	}
	return nil
}
