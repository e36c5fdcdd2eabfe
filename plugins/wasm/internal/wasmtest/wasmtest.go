// Package wasmtest makes modules and descriptors for the sandbox's tests.
package wasmtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/wasmerio/wasmer-go/wasmer"
	"golang.org/x/sys/unix"
)

// WAT assembles a module from text.
func WAT(t testing.TB, source string) []byte {
	t.Helper()
	b, err := wasmer.Wat2Wasm(source)
	if err != nil {
		t.Fatalf("assemble: %v", err)
	}
	return b
}

var guests sync.Map // name → func() ([]byte, error)

// Guest builds the Go program testdata/guests/name, once for each test binary.
func Guest(t testing.TB, name string) []byte {
	t.Helper()
	build, _ := guests.LoadOrStore(name, sync.OnceValues(func() ([]byte, error) { return buildGuest(name) }))
	b, err := build.(func() ([]byte, error))()
	if err != nil {
		t.Fatalf("build guest %s: %v", name, err)
	}
	return b
}

func buildGuest(name string) ([]byte, error) {
	dir, err := os.MkdirTemp("", "guest")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	out := filepath.Join(dir, "guest.wasm")
	build := exec.Command("go", "build", "-buildmode=c-shared", "-ldflags=-s -w", "-o", out,
		"github.com/ringfence/ringfence/plugins/wasm/testdata/guests/"+name)
	build.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return nil, err
	}
	return os.ReadFile(out)
}

// Memfd makes a memfd with that content and those seals. The caller owns it.
func Memfd(t testing.TB, content []byte, seals int) int {
	t.Helper()
	fd, err := unix.MemfdCreate("test", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		t.Fatalf("memfd: %v", err)
	}
	for rest := content; len(rest) > 0; {
		n, err := unix.Write(fd, rest)
		if err != nil {
			t.Fatalf("write memfd: %v", err)
		}
		rest = rest[n:]
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
		t.Fatalf("seal memfd: %v", err)
	}
	return fd
}

// Sealed makes a memfd as the host makes it.
func Sealed(t testing.TB, content []byte) int {
	t.Helper()
	return Memfd(t, content, unix.F_SEAL_WRITE|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_SEAL)
}
