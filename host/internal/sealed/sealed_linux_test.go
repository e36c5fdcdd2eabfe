package sealed

import (
	"io"
	"os"
	"strconv"
	"syscall"
	"testing"
)

func TestSealedBytesCannotBeChangedBySomebodyWhoHoldsTheDescriptor(t *testing.T) {
	f, err := Bytes("test", []byte("module"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	attacks := map[string]func() error{
		"write":  func() error { _, err := f.WriteAt([]byte("x"), 0); return err },
		"grow":   func() error { return f.Truncate(100) },
		"shrink": func() error { return f.Truncate(1) },
		"mmap": func() error {
			_, err := syscall.Mmap(int(f.Fd()), 0, 6, syscall.PROT_WRITE, syscall.MAP_SHARED)
			return err
		},
		"reopened": func() error { return os.WriteFile("/proc/self/fd/"+strconv.Itoa(int(f.Fd())), []byte("x"), 0o600) },
	}
	for name, attack := range attacks {
		if attack() == nil {
			t.Errorf("%s succeeded on sealed bytes", name)
		}
	}
	got, err := io.ReadAll(f)
	if err != nil || string(got) != "module" {
		t.Fatalf("read %q, %v; want the bytes that were sealed", got, err)
	}
}
