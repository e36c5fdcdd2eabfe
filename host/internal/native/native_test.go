package native

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/ringfence/ringfence/policies"
)

func TestKind(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		content string
		want    policies.Kind
	}{
		"module":  {"\x00asm\x01\x00\x00\x00", policies.KindWASM},
		"program": {"\x7fELF\x02\x01\x01", policies.KindNative},
		"empty":   {"", policies.KindWASM},
		"short":   {"\x7fEL", policies.KindWASM},
		"script":  {"#!/bin/sh\n", policies.KindWASM},
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := Kind(path); got != c.want || err != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if _, err := Kind(filepath.Join(dir, "nowhere")); err == nil || !strings.Contains(err.Error(), "there is no plugin at") {
		t.Errorf("a file that is not there: %v", err)
	}
}

// A program that names a file of the machine as its loader would have it copied
// to where it runs, and read it there.
func TestALoaderThatIsAnyFileIsRefused(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("programs of this system are others")
	}
	b, err := os.ReadFile("/bin/sh")
	if err != nil {
		t.Skip(err)
	}
	const loader = "/lib64/ld-linux-x86-64.so.2\x00"
	if !strings.Contains(string(b), loader) {
		t.Skip("/bin/sh has another loader here")
	}
	for name, path := range map[string]string{
		"a secret":         "/etc/passwd",
		"outside by dots":  "/lib/../etc/passwd",
		"a relative one":   "lib64/ld-linux-x86-64.so.2",
		"not there":        "/lib64/ld-nothing.so.2",
		"the socket's own": "/s/ld-linux.so.2",
		"the program's":    "/plugin",
	} {
		changed := strings.Replace(string(b), loader, path+strings.Repeat("\x00", len(loader)-len(path)), 1)
		file := filepath.Join(t.TempDir(), "program")
		if err := os.WriteFile(file, []byte(changed), 0o700); err != nil {
			t.Fatal(err)
		}
		if _, err := Inspect(file); err == nil || !strings.Contains(err.Error(), "ELF interpreter") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzInspect(f *testing.F) {
	f.Add([]byte("\x7fELF\x02\x01\x01"))
	if b, err := os.ReadFile("/bin/true"); err == nil && len(b) < 1<<16 {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "program")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := Inspect(path)
		if err != nil && strings.ContainsAny(err.Error(), "\x1b\n\x00") {
			t.Errorf("not printable: %q", err)
		}
		for _, name := range append(p.Libraries, p.Machine, p.Go, p.Module) {
			if strings.ContainsAny(name, "\x1b\n\x00") {
				t.Errorf("not printable: %q", name)
			}
		}
	})
}
