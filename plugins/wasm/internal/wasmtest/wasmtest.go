// Package wasmtest makes modules and descriptors for the sandbox's tests.
package wasmtest

import (
	"encoding/binary"
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

// Limit writes a maximum of that many bytes into the memory section, as the
// host does with every module.
func Limit(t testing.TB, module []byte, bytes uint64) []byte {
	t.Helper()
	out := append([]byte(nil), module[:8]...)
	for rest := module[8:]; len(rest) > 0; {
		id := rest[0]
		size, n := binary.Uvarint(rest[1:])
		body := rest[1+n : 1+n+int(size)]
		rest = rest[1+n+int(size):]
		if id == 5 {
			least, _ := binary.Uvarint(body[2:])
			body = binary.AppendUvarint(binary.AppendUvarint([]byte{1, 1}, least), bytes>>16)
		}
		out = append(binary.AppendUvarint(append(out, id), uint64(len(body))), body...)
	}
	return out
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
