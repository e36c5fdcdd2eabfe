// Package built gives tests the built binaries: what a user has after `make`,
// not packages linked into a test. It builds them when they are out of date, so
// that `go test ./...` works by itself, and it keeps one cache of compiled
// modules, so that not every test pays seconds for the same compilation.
package built

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
)

var build = sync.OnceValues(func() (string, error) { return target("build") })

// target makes one, and names the folder of what is built.
func target(name string) (string, error) {
	root, err := repository()
	if err != nil {
		return "", err
	}
	// Several test binaries run at once; make is not made for that.
	unlock, err := lock(filepath.Join(root, "Makefile"))
	if err != nil {
		return "", err
	}
	defer unlock()
	cmd := exec.Command("make", "-s", name)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("make %s: %w\n%s", name, err, out)
	}
	return filepath.Join(root, "bin"), nil
}

// Bin is the folder of the built binaries.
func Bin(t testing.TB) string {
	t.Helper()
	bin, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

// Escape is the sandbox program with an engine that makes attacks.
func Escape(t testing.TB) string {
	t.Helper()
	bin, err := target("bin/escape/ringfence-plugin-wasm")
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(bin, "escape", "ringfence-plugin-wasm")
}

// Tool is a first-party module: "jq", "github", "rogue".
func Tool(t testing.TB, name string) string {
	t.Helper()
	return filepath.Join(Bin(t), "tools", name+".wasm")
}

// State makes a state folder that has the compiled modules of earlier tests.
// What the test compiles is kept for later ones. Its parent can be the
// XDG_STATE_HOME of a command without a policy of its own.
func State(t testing.TB) string {
	t.Helper()
	state := filepath.Join(t.TempDir(), "ringfence")
	shared := filepath.Join(Bin(t), "testcache", "modules")
	own := filepath.Join(state, "modules")
	if err := os.MkdirAll(shared, 0o700); err != nil {
		t.Fatal(err)
	}
	share(t, shared, own)
	t.Cleanup(func() { share(t, own, shared) })
	return state
}

// share links the files of one cache into another. Entries are never written
// in place, so a link is as good as a copy; the key comes with them.
func share(t testing.TB, from, to string) {
	t.Helper()
	unlock, err := lock(filepath.Dir(Bin(t)))
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if err := os.MkdirAll(to, 0o700); err != nil {
		t.Fatal(err)
	}
	theirs, _ := os.ReadFile(filepath.Join(from, "key"))
	ours, err := os.ReadFile(filepath.Join(to, "key"))
	if err == nil && string(ours) != string(theirs) {
		return // another key: the entries are worth nothing there
	}
	entries, err := filepath.Glob(filepath.Join(from, "*.compiled"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(entries, filepath.Join(from, "key")) {
		_ = os.Link(path, filepath.Join(to, filepath.Base(path))) // there already, or not yet
	}
}

func lock(path string) (unlock func(), err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}

// repository is the folder of go.mod.
func repository() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("no go.mod above the working folder")
		}
		dir = parent
	}
}
