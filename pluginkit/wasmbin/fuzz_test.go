package wasmbin

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func addSeeds(f *testing.F) {
	guest := newGuest()
	guest.addImport(ModuleRingfence, "read", "IIii:i")
	guest.tables = [][]byte{{0x70, 0, 1}}
	guest.tail = custom("producers", cat(raw{1}, str("sdk"), raw{1}, str("x"), str("y"))...)
	for _, b := range [][]byte{nil, []byte("(module)"), []byte("\x00asm\x0d\x00\x01\x00"), newGuest().bytes(), guest.bytes(),
		module(vec(idMemory, raw{4, 1})), module(sec(idType, raw{0xff, 0xff, 0xff, 0xff, 0x0f}))} {
		f.Add(b, uint64(16), uint64(100))
	}
}

// FuzzParse holds that no bytes make reading panic, and that every refusal is a
// typed error of one printable line.
func FuzzParse(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, b []byte, _, _ uint64) {
		m, err := Parse(b)
		if err != nil {
			var fe *FormatError
			if !errors.As(err, &fe) {
				t.Fatalf("untyped error %v", err)
			}
		} else {
			err = m.CheckGuest()
		}
		if err != nil && (strings.ContainsAny(err.Error(), "\n\r\x1b") || len(err.Error()) > 2048) {
			t.Fatalf("not one short line: %q", err)
		}
	})
}

// FuzzLimit holds that a limited module is again a module, has its limits, and
// differs in nothing else.
func FuzzLimit(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, b []byte, pages, elements uint64) {
		m, err := Parse(b)
		if err != nil {
			return
		}
		out, err := m.Limit(pages, elements)
		if err != nil {
			return
		}
		got, err := Parse(out)
		if err != nil {
			t.Fatalf("the limited module does not parse: %v", err)
		}
		if got.Memory != nil && (!got.Memory.HasMax || got.Memory.Max > pages) {
			t.Fatalf("memory %+v over %d pages", *got.Memory, pages)
		}
		for _, tab := range got.Tables {
			if !tab.HasMax || tab.Max > elements {
				t.Fatalf("table %+v over %d elements", tab, elements)
			}
		}
		if !bytes.Equal(others(m), others(got)) {
			t.Fatal("a section other than memory and table changed")
		}
	})
}

func others(m *Module) (b []byte) {
	for _, s := range m.sections {
		if s.id != idMemory && s.id != idTable {
			b = append(append(b, s.id), m.raw[s.body:s.limit]...)
		}
	}
	return b
}
