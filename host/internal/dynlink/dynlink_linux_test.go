package dynlink

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The loader itself says what it would load: this must be the same.
func TestAsTheLoaderSays(t *testing.T) {
	for _, program := range []string{"/bin/sh", "/bin/ls"} {
		n, err := Of(program)
		if err != nil {
			t.Fatal(err)
		}
		if n.Loader == "" {
			t.Skipf("%s is static here", program)
		}
		out, err := exec.Command(n.Loader, "--list", program).Output()
		if err != nil {
			t.Skip("this loader lists nothing: ", err)
		}
		for line := range strings.Lines(string(out)) {
			name, path, ok := strings.Cut(strings.TrimSpace(line), " => ")
			if !ok || filepath.IsAbs(name) {
				continue
			}
			path, _, _ = strings.Cut(path, " (")
			want, err1 := os.Stat(path)
			got, err2 := os.Stat(n.Libraries[name])
			if err := errors.Join(err1, err2); err != nil || !os.SameFile(want, got) {
				t.Errorf("%s needs %s from %s, found %q (%v)", program, name, path, n.Libraries[name], err)
			}
		}
	}
}

func TestNothingIsExecutedOrGuessed(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(dir, "script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\ntouch "+dir+"/ran\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Of(script); err == nil {
		t.Error("a script passes for an ELF program")
	}
	if _, err := os.Stat(filepath.Join(dir, "ran")); err == nil {
		t.Error("it was executed")
	}
	n, err := Of("/bin/sh")
	if err != nil || n.Loader == "" {
		t.Skip("no dynamic program to look at")
	}
	if _, err := search("/bin/sh", nil); !errors.Is(err, errNotFound) {
		t.Errorf("a library that is nowhere: %v", err)
	}
}
