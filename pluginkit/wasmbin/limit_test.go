package wasmbin

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func mustParse(t *testing.T, b []byte) *Module {
	t.Helper()
	m, err := Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestLimitWritesTheMaximum(t *testing.T) {
	for _, c := range []struct {
		name                string
		memory, table       []byte
		wantMemory, wantTab uint64
	}{
		{"no maximum", raw{0, 1}, raw{0x70, 0, 1}, 32, 100},
		{"a higher maximum", raw{1, 1, 0x80, 0x80, 0x04}, raw{0x70, 1, 1, 0xff, 0x7f}, 32, 100},
		{"a lower maximum stays", raw{1, 1, 7}, raw{0x6f, 1, 1, 9}, 7, 9},
		{"a minimum at the limit", raw{0, 32}, raw{0x70, 0, 100}, 32, 100},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGuest()
			g.memories, g.tables = [][]byte{c.memory}, [][]byte{c.table, c.table}
			m := mustParse(t, g.bytes())
			out, err := m.Limit(32, 100)
			if err != nil {
				t.Fatal(err)
			}
			got := mustParse(t, out)
			if !got.Memory.HasMax || got.Memory.Max != c.wantMemory || got.Memory.Min != m.Memory.Min {
				t.Errorf("memory %+v, want a maximum of %d", *got.Memory, c.wantMemory)
			}
			for _, tab := range got.Tables {
				if !tab.HasMax || tab.Max != c.wantTab || tab.Element != m.Tables[0].Element {
					t.Errorf("table %+v, want a maximum of %d", tab, c.wantTab)
				}
			}
			if again, err := got.Limit(32, 100); err != nil || !bytes.Equal(again, out) {
				t.Errorf("limiting twice changes the module (%v)", err)
			}
		})
	}
}

func TestLimitRefusesWhatItCannotBound(t *testing.T) {
	for _, c := range []struct {
		name, says string
		change     func(*guestModule)
	}{
		{"imported memory", "imports its memory", func(g *guestModule) { g.memories, g.imports = nil, [][]byte{imp("env", "memory", 2, 0, 1)} }},
		{"shared memory", "shared memory", func(g *guestModule) { g.memories = [][]byte{{3, 1, 2}} }},
		{"64-bit memory", "64-bit memory", func(g *guestModule) { g.memories = [][]byte{{4, 1}} }},
		{"two memories", "2 memories", func(g *guestModule) { g.memories = [][]byte{{0, 1}, {0, 1}} }},
		{"an own memory beside an imported one", "2 memories", func(g *guestModule) { g.imports = [][]byte{imp("env", "memory", 2, 0, 1)} }},
		{"imported table", "imports a table", func(g *guestModule) { g.imports = [][]byte{imp("env", "t", 1, 0x70, 0, 1)} }},
		{"64-bit table", "64-bit table", func(g *guestModule) { g.tables = [][]byte{{0x70, 4, 1}} }},
		{"shared table", "shared table", func(g *guestModule) { g.tables = [][]byte{{0x70, 3, 1, 1}} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGuest()
			c.change(g)
			_, err := mustParse(t, g.bytes()).Limit(32, 100)
			var ge *GuestError
			if !errors.As(err, &ge) || !strings.Contains(ge.Reason, c.says) {
				t.Fatalf("got %v, want a *GuestError with %q", err, c.says)
			}
		})
	}
}

func TestLimitSaysBothNumbers(t *testing.T) {
	g := newGuest()
	g.memories, g.tables = [][]byte{{0, 33}}, [][]byte{{0x70, 0, 101}}
	m := mustParse(t, g.bytes())
	_, err := m.Limit(32, 200)
	var le *LimitError
	if !errors.As(err, &le) || le.Needs != 33*PageSize || le.Allowed != 32*PageSize {
		t.Fatalf("got %v", err)
	}
	for _, part := range []string{"2162688", "2097152", "limits.memory"} {
		if !strings.Contains(le.Error(), part) {
			t.Errorf("%q does not say %s", le, part)
		}
	}
	if _, err := m.Limit(33, 100); !errors.As(err, &le) || le.What != "table" || !strings.Contains(err.Error(), "101 elements (maximum 100)") {
		t.Errorf("table: %v", err)
	}
}
