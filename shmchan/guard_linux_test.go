//go:build linux && (amd64 || arm64)

package shmchan

import (
	"errors"
	"runtime/debug"
	"testing"

	"golang.org/x/sys/unix"
)

// tornMemory is two pages of which the second has lost its file.
func tornMemory(t *testing.T) []byte {
	t.Helper()
	f := sharedFile(t, 8192)
	mem := mapShared(t, f, 8192, unix.PROT_READ)
	if err := f.Truncate(4096); err != nil {
		t.Fatal(err)
	}
	return mem
}

func TestGuardTurnsALostPageIntoAViolation(t *testing.T) {
	mem := tornMemory(t)
	sum := func(b []byte) error {
		n := 0
		for _, c := range b {
			n += int(c)
		}
		if n != 0 {
			return errors.New("not zero")
		}
		return nil
	}
	for _, c := range []struct {
		name     string
		mem      []byte
		violated bool
	}{
		{"page that is there", mem[:4096], false},
		{"page that is gone", mem[4096:], true},
		{"across both", mem[4000:5000], true},
		{"one byte", mem[8191:], true},
		{"nothing", mem[:0], false},
	} {
		t.Run(c.name, func(t *testing.T) {
			for how, err := range map[string]error{
				"copy": guardedCopy(make([]byte, len(c.mem)), c.mem),
				"read": guarded(c.mem, sum),
			} {
				var v *ViolationError
				if errors.As(err, &v) != c.violated || !c.violated && err != nil {
					t.Errorf("%s: %v", how, err)
				}
				if v != nil && v.Got >= v.Limit {
					t.Errorf("%s: offset %d of %d", how, v.Got, v.Limit)
				}
			}
			if debug.SetPanicOnFault(false) {
				t.Error("faults still panic")
			}
		})
	}
}

func TestGuardLetsOtherPanicsThrough(t *testing.T) {
	mem := tornMemory(t)
	other := tornMemory(t)
	for _, c := range []struct {
		name string
		read func([]byte) error
	}{
		{"own panic", func([]byte) error { panic("mine") }},
		{"index out of range", func(b []byte) error { _ = b[len(b)]; return nil }},
		{"nil pointer", func([]byte) error { var p *int; *p = 1; return nil }},
		{"fault in other memory", func([]byte) error { _ = append([]byte(nil), other[4096:]...); return nil }},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("swallowed")
				}
				if debug.SetPanicOnFault(false) {
					t.Error("faults still panic")
				}
			}()
			_ = guarded(mem, c.read)
		})
	}
}

func TestGuardPassesErrorsOn(t *testing.T) {
	want := errors.New("mine")
	if err := guarded([]byte{1}, func([]byte) error { return want }); err != want {
		t.Errorf("got %v", err)
	}
}

func TestGuardedCopyAllocatesNothing(t *testing.T) {
	dst, src := make([]byte, 64), make([]byte, 64)
	if n := testing.AllocsPerRun(100, func() { _ = guardedCopy(dst, src) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkGuardedCopy64(b *testing.B) {
	dst, src := make([]byte, 64), make([]byte, 64)
	for range b.N {
		_ = guardedCopy(dst, src)
	}
}
