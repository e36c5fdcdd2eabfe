package module

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ringfence/ringfence/internal/built"
	"github.com/ringfence/ringfence/pluginkit"
	"github.com/ringfence/ringfence/pluginkit/wasmbin"
)

func TestAModuleComesOutHashedAndLimited(t *testing.T) {
	path := built.Tool(t, "jq")
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(file)
	m, err := Load(path, hex.EncodeToString(digest[:]), 64<<20+1)
	if err != nil {
		t.Fatal(err)
	}
	if m.Digest != digest || m.MemoryPages != 1024 {
		t.Errorf("digest %x, %d pages", m.Digest, m.MemoryPages)
	}
	limited, err := wasmbin.Parse(m.Limited)
	if err != nil {
		t.Fatal(err)
	}
	if !limited.Memory.HasMax || limited.Memory.Max != 1024 {
		t.Errorf("the memory's maximum is %d pages (set: %v), want 1024", limited.Memory.Max, limited.Memory.HasMax)
	}
	for _, table := range limited.Tables {
		if !table.HasMax || table.Max > MaxTableElements {
			t.Errorf("a table may grow to %d elements (set: %v), want at most %d", table.Max, table.HasMax, MaxTableElements)
		}
	}
}

func TestAPinIsForExactlyOneFile(t *testing.T) {
	_, err := Load(built.Tool(t, "jq"), strings.Repeat("ab", 32), 64<<20)
	var pin *PinError
	if !errors.As(err, &pin) || pin.Want != strings.Repeat("ab", 32) || len(pin.Got) != 64 {
		t.Fatalf("got %v, want a PinError with both digests", err)
	}
}

func TestReadTakesRegularFilesOfBoundedSizeOnly(t *testing.T) {
	dir := t.TempDir()
	huge := filepath.Join(dir, "huge")
	if err := os.WriteFile(huge, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(huge, pluginkit.MaxModule+1); err != nil { // sparse
		t.Fatal(err)
	}
	fifo := filepath.Join(dir, "fifo") // opening it would wait for a writer for ever
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, says := range map[string]string{
		huge:                          "larger than a module may be",
		fifo:                          "not a regular file",
		dir:                           "is a folder",
		filepath.Join(dir, "nowhere"): "no module at",
	} {
		if _, err := Read(path); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, want %q", filepath.Base(path), err, says)
		}
	}
}
