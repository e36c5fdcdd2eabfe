package guesttest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/pluginkit/wasmbin"
)

// Build compiles the plugin in a folder to WebAssembly, as its author would,
// and fails the test unless a host would take it. The module is looked at, not
// run. It returns the file's path, which lives as long as the test.
func Build(t testing.TB, folder string) (path string, module *wasmbin.Module) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "plugin.wasm")
	command := exec.Command("go", "build", "-buildmode=c-shared", "-trimpath", "-ldflags=-s -w", "-o", path, ".")
	command.Dir = folder
	for _, variable := range os.Environ() {
		// What is set for the test's own build must not leak into the guest's.
		switch name, _, _ := strings.Cut(variable, "="); name {
		case "GOOS", "GOARCH", "GOFLAGS", "GOWASM", "CGO_ENABLED":
		default:
			command.Env = append(command.Env, variable)
		}
	}
	command.Env = append(command.Env, "GOOS=wasip1", "GOARCH=wasm")
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", folder, err, output)
	}
	binary, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if module, err = wasmbin.Parse(binary); err != nil {
		t.Fatal(err)
	}
	if err := module.CheckGuest(); err != nil {
		t.Fatal(err)
	}
	return path, module
}
