package modcache

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func open(t *testing.T, dir string, max int64) *Cache {
	t.Helper()
	c, err := Open(dir, max)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func put(t *testing.T, c *Cache, key Key, code []byte) {
	t.Helper()
	if err := c.Put(key, Label{}, func(w io.Writer) error { _, err := w.Write(code); return err }); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, c *Cache, key Key) ([]byte, error) {
	t.Helper()
	f, n, err := c.Get(key)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil || int64(len(b)) != n {
		t.Fatalf("read %d of %d bytes: %v", len(b), n, err)
	}
	return b, nil
}

func TestAnEntryComesBackAsItWasStored(t *testing.T) {
	dir := t.TempDir()
	code := bytes.Repeat([]byte("machine code "), 200_000)
	key := Inputs{Engine: "wasmer"}.Key()
	put(t, open(t, dir, 1<<30), key, code)
	got, err := get(t, open(t, dir, 1<<30), key) // another host
	if err != nil || !bytes.Equal(got, code) {
		t.Fatalf("got %d bytes, %v", len(got), err)
	}
}

func TestEveryInputChangesTheKey(t *testing.T) {
	base := Inputs{Engine: "wasmer", Build: "1", MemoryPages: 1, TableElements: 1}
	seen := map[Key]string{base.Key(): "base"}
	for name, in := range map[string]Inputs{
		"module": {Module: [32]byte{1}, Engine: "wasmer", Build: "1", MemoryPages: 1, TableElements: 1},
		"engine": {Engine: "wazero", Build: "1", MemoryPages: 1, TableElements: 1},
		"build":  {Engine: "wasmer", Build: "2", MemoryPages: 1, TableElements: 1},
		"memory": {Engine: "wasmer", Build: "1", MemoryPages: 2, TableElements: 1},
		"table":  {Engine: "wasmer", Build: "1", MemoryPages: 1, TableElements: 2},
		"border": {Engine: "wasmer1", Build: "", MemoryPages: 1, TableElements: 1},
	} {
		if other, dup := seen[in.Key()]; dup {
			t.Errorf("%s and %s have one key", name, other)
		}
		seen[in.Key()] = name
	}
}

func TestAForgedEntryIsNeverLoaded(t *testing.T) {
	key, other := Inputs{Engine: "a"}.Key(), Inputs{Engine: "b"}.Key()
	code := []byte("some machine code")
	write := func(t *testing.T, path string, b []byte) {
		t.Helper()
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	attacks := map[string]func(t *testing.T, c *Cache, path string, entry []byte){
		"last byte changed":   func(t *testing.T, _ *Cache, p string, b []byte) { b[len(b)-1] ^= 1; write(t, p, b) },
		"length changed":      func(t *testing.T, _ *Cache, p string, b []byte) { b[len(magic)+32] ^= 1; write(t, p, b) },
		"label changed":       func(t *testing.T, _ *Cache, p string, b []byte) { b[labelAt] ^= 1; write(t, p, b) },
		"code cut":            func(t *testing.T, _ *Cache, p string, b []byte) { write(t, p, b[:len(b)-1]) },
		"code extended":       func(t *testing.T, _ *Cache, p string, b []byte) { write(t, p, append(b, 0)) },
		"header cut":          func(t *testing.T, _ *Cache, p string, b []byte) { write(t, p, b[:headerSize-1]) },
		"empty":               func(t *testing.T, _ *Cache, p string, _ []byte) { write(t, p, nil) },
		"older version":       func(t *testing.T, _ *Cache, p string, b []byte) { b[len(magic)-1]--; write(t, p, b) },
		"another module's":    func(t *testing.T, c *Cache, p string, _ []byte) { os.Rename(c.path(other), p) },
		"negative length":     func(t *testing.T, _ *Cache, p string, b []byte) { b[len(magic)+39] = 0xff; write(t, p, b) },
		"symlink":             func(t *testing.T, c *Cache, p string, b []byte) { os.Remove(p); os.Symlink(c.path(other), p) },
		"directory":           func(t *testing.T, _ *Cache, p string, _ []byte) { os.Remove(p); os.Mkdir(p, 0o700) },
		"written without key": func(t *testing.T, _ *Cache, p string, b []byte) { forge(t, p, key, code) },
	}
	for name, attack := range attacks {
		t.Run(name, func(t *testing.T) {
			c := open(t, t.TempDir(), 1<<30)
			put(t, c, key, code)
			put(t, c, other, []byte("other code"))
			entry, err := os.ReadFile(c.path(key))
			if err != nil {
				t.Fatal(err)
			}
			attack(t, c, c.path(key), entry)
			if got, err := get(t, c, key); !errors.Is(err, ErrMiss) {
				t.Fatalf("loaded %q, %v; want a miss", got, err)
			}
		})
	}
}

// forge writes a well-formed entry under a key of the attacker's own.
func forge(t *testing.T, path string, key Key, code []byte) {
	t.Helper()
	c := open(t, t.TempDir(), 1<<30)
	put(t, c, key, code)
	if err := os.Rename(c.path(key), path); err != nil {
		t.Fatal(err)
	}
}

func TestAKeyThatOthersCanReadIsRefused(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, 1)
	if err := os.Chmod(filepath.Join(dir, secretName), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, 1); err == nil {
		t.Fatal("a readable key was accepted")
	}
}

func TestHostsThatStartAtOnceShareOneKey(t *testing.T) {
	dir := t.TempDir()
	keys := make(chan []byte, 16)
	for range cap(keys) {
		go func() {
			c, err := Open(dir, 1)
			if err != nil {
				t.Error(err)
				keys <- nil
				return
			}
			keys <- c.secret
		}()
	}
	first := <-keys
	for range cap(keys) - 1 {
		if !bytes.Equal(first, <-keys) {
			t.Fatal("two hosts made two keys")
		}
	}
}

func TestTheSecondHostWaitsForTheFirst(t *testing.T) {
	dir := t.TempDir()
	first, second := open(t, dir, 1<<20), open(t, dir, 1<<20)
	key := Inputs{}.Key()
	unlock, err := first.Lock(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := second.Lock(ctx, key); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want the context's error while the lock is held", err)
	}
	unlock()
	unlock, err = second.Lock(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	unlock()
}

func TestTheCacheStaysWithinItsSize(t *testing.T) {
	limit := 3 * int64(headerSize+960)
	c := open(t, t.TempDir(), limit)
	for i := range 10 {
		key := Inputs{MemoryPages: uint64(i)}.Key()
		put(t, c, key, make([]byte, 900))
		used := time.Now().Add(time.Duration(i-60) * time.Second)
		if err := os.Chtimes(c.path(key), used, used); err != nil {
			t.Fatal(err)
		}
	}
	put(t, c, Inputs{MemoryPages: 99}.Key(), make([]byte, 10)) // trims
	entries, err := c.List()
	if err != nil {
		t.Fatal(err)
	}
	var sum int64
	for _, e := range entries {
		sum += e.Size
	}
	if sum > limit || len(entries) < 3 {
		t.Fatalf("%d entries of %d bytes in all, want at least 3 within %d", len(entries), sum, limit)
	}
	if _, err := get(t, c, Inputs{MemoryPages: 0}.Key()); !errors.Is(err, ErrMiss) {
		t.Fatalf("the longest unused entry is still there (%v)", err)
	}
}

func TestWhatADeadHostLeftIsSweptByTheNext(t *testing.T) {
	c := open(t, t.TempDir(), 1<<20)
	dead := filepath.Join(c.dir, "new-123")
	if err := os.WriteFile(dead, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	var alive string
	err := c.Put(Key{1}, Label{}, func(w io.Writer) error {
		left, err := filepath.Glob(filepath.Join(c.dir, "new-*"))
		if err != nil || len(left) != 2 {
			t.Fatalf("half written: %v (%v)", left, err)
		}
		alive = left[slices.IndexFunc(left, func(path string) bool { return path != dead })]
		open(t, c.dir, 1<<20) // another host starts
		if _, err := os.Stat(dead); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the dead host's file is still there (%v)", err)
		}
		if _, err := os.Stat(alive); err != nil {
			t.Errorf("the living host's file: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Many hosts that start and write at once never sweep each other's files.
func TestHammerSweep(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 50 {
				c, err := Open(dir, 1<<20)
				if err == nil {
					err = c.Put(Key{byte(i)}, Label{}, func(io.Writer) error { return nil })
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestOtherFilesAreNoEntries(t *testing.T) {
	dir := t.TempDir()
	c, err := Open(dir, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{".compiled", "x.compiled", "\x1b[2J.compiled", strings.Repeat("g", 64) + ".compiled"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if entries, err := c.List(); err != nil || len(entries) > 0 {
		t.Errorf("listed %v, %v", entries, err)
	}
}
