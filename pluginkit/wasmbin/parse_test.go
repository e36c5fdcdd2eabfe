package wasmbin

import (
	"bytes"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func TestFilesThatAreNotModulesAreNamed(t *testing.T) {
	for _, c := range []struct {
		name, file string
		kind       Kind
		says       string
	}{
		{"empty", "", NotWasm, "empty"},
		{"text", "hello there\n", NotWasm, "a text file"},
		{"long text cut inside a character", strings.Repeat("ä", 600), NotWasm, "a text file"},
		{"WAT", "(module)", NotWasm, "wat2wasm"},
		{"WAT after comments", "\n;; a tool\n  ;; of mine\n(module $x\n", NotWasm, "wat2wasm"},
		{"WAT block comment", "(; x ;) (module)", NotWasm, "wat2wasm"},
		{"HTML", "<!DOCTYPE html>", NotWasm, "HTML"},
		{"git lfs", "version https://git-lfs.github.com/spec/v1\n", NotWasm, "git lfs pull"},
		{"ELF", "\x7fELF\x02\x01", NotWasm, "ELF"},
		{"gzip", "\x1f\x8b\x08\x00", NotWasm, "gunzip"},
		{"zip", "PK\x03\x04", NotWasm, "unzip"},
		{"other bytes", "\x00\x01\x02", NotWasm, "starts with 00 01 02"},
		{"component", "\x00asm\x0d\x00\x01\x00", Component, "component-model"},
		{"future version", "\x00asm\x02\x00\x00\x00", Version, "version 2"},
		{"half a magic", "\x00as", Truncated, "build or download it again"},
		{"half a header", "\x00asm\x01\x00", Truncated, "build or download it again"},
	} {
		t.Run(c.name, func(t *testing.T) { wantFormatError(t, []byte(c.file), c.kind, c.says) })
	}
}

func wantFormatError(t *testing.T, file []byte, kind Kind, says string) {
	t.Helper()
	_, err := Parse(file)
	var fe *FormatError
	if !errors.As(err, &fe) {
		t.Fatalf("got %v, want a *FormatError", err)
	}
	if fe.Kind != kind || !strings.Contains(fe.Reason, says) || strings.Contains(fe.Reason, "\n") {
		t.Fatalf("got %v %q, want %v with %q on one line", fe.Kind, fe.Reason, kind, says)
	}
}

func TestMalformedModulesAreRefused(t *testing.T) {
	long := bytes.Repeat([]byte{0xff}, 5)
	for _, c := range []struct {
		name string
		file []byte
		kind Kind
		says string
	}{
		{"section longer than the file", module(raw{idCode, 100, 1}), Truncated, "100 bytes, of which 1"},
		{"file ends in a section header", module(raw{idType}), Truncated, "section header"},
		{"section size over 32 bits", module(raw{idType}, long, raw{0}), Malformed, "32 bits"},
		{"unknown section", module(raw{99, 0}), Malformed, "section 99"},
		{"section twice", module(vec(idType), vec(idType)), Malformed, "twice"},
		{"sections out of order", module(vec(idFunction), vec(idType)), Malformed, "out of order"},
		{"count far beyond the bytes", module(sec(idType, raw{0xa0, 0x8d, 0x06})), Malformed, "ends in the middle"},
		{"count over the maximum", module(sec(idType, raw{0xff, 0xff, 0xff, 0xff, 0x0f})), Malformed, "(maximum 100000)"},
		{"bytes after the entries", module(sec(idType, raw{0, 0})), Malformed, "1 bytes too many"},
		{"garbage-collection type", module(vec(idType, raw{0x5f, 0})), Malformed, "garbage-collection"},
		{"value type of another proposal", module(vec(idType, raw{0x60, 1, 0x64, 0})), Malformed, "0x64"},
		{"more parameters than any function has", module(vec(idType, raw{0x60, 0xe9, 0x07})), Malformed, "(maximum 1000)"},
		{"import name not UTF-8", module(vec(idImport, cat(str("\xff"), str("x"), raw{0, 0}))), Malformed, "UTF-8"},
		{"import of a missing type", module(vec(idImport, imp("a", "b", 0, 7))), Malformed, "type 7 of 0"},
		{"import of an unknown kind", module(vec(idImport, imp("a", "b", 9, 7))), Malformed, "kind 9"},
		{"function of a missing type", module(vec(idFunction, raw{3})), Malformed, "type 3 of 0"},
		{"functions without code", module(vec(idType, fn(":")), vec(idFunction, raw{0})), Malformed, "1 functions are declared and 0"},
		{"memory of 5 GiB", module(vec(idMemory, raw{0, 0x81, 0x80, 0x05})), Malformed, "(maximum 65536)"},
		{"memory maximum below minimum", module(vec(idMemory, raw{1, 9, 3})), Malformed, "below"},
		{"memory with page sizes", module(vec(idMemory, raw{8, 1, 0})), Malformed, "0x08"},
		{"table with an initialiser", module(vec(idTable, raw{0x40, 0})), Malformed, "0x40"},
		{"export of nothing", module(vec(idExport, exp("f", 0, 0))), Malformed, "function 0 of 0"},
		{"export of unknown kind", module(vec(idExport, exp("f", 9, 0))), Malformed, "of 0"},
		{"two exports of one name", module(vec(idMemory, raw{0, 1}), vec(idExport, exp("m", 2, 0), exp("m", 2, 0))), Malformed, "two exports"},
		{"hostile export name", module(vec(idExport, exp("\x1b[31m\n", 0, 0))), Malformed, `\x1b[31m\n`},
		{"start of nothing", module(sec(idStart, raw{0})), Malformed, "start function 0 of 0"},
	} {
		t.Run(c.name, func(t *testing.T) { wantFormatError(t, c.file, c.kind, c.says) })
	}
}

func TestParseReadsTheStructure(t *testing.T) {
	producers := cat(raw{2}, str("language"), raw{1}, str("Go"), str("1.26"), str("sdk"), raw{1}, str("ringfence"), str("0.1"))
	m, err := Parse(module(
		custom("producers", producers...),
		vec(idType, fn("iI:i"), fn(":")),
		vec(idImport, imp("m", "f", 0, 0), imp("m", "g", 3, 0x7f, 1), imp("m", "t", 1, 0x70, 0, 5)),
		vec(idFunction, raw{1}),
		vec(idTable, raw{0x6f, 1, 2, 9}),
		vec(idMemory, raw{1, 2, 10}),
		vec(idExport, exp("mem", 2, 0), exp("run", 0, 1), exp("old", 0, 0)),
		sec(idStart, raw{1}),
		vec(idCode, raw{2, 0, 0x0b}),
		custom("go:buildid", []byte("abc")...),
	))
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Imports[0]; got.Kind != Func || got.Type.String() != "(i32, i64) -> i32" || got.Module != "m" || got.Name != "f" {
		t.Errorf("import: %+v", got)
	}
	if *m.Memory != (Memory{Min: 2, Max: 10, HasMax: true}) || m.Memories != 1 {
		t.Errorf("memory: %+v, %d of them", *m.Memory, m.Memories)
	}
	if len(m.Tables) != 2 || !m.Tables[0].Imported || m.Tables[1].Max != 9 {
		t.Errorf("tables: %+v", m.Tables)
	}
	if e, ok := m.Export("run"); !ok || e.Type.String() != "() -> ()" {
		t.Errorf("export run: %+v", e)
	}
	if e, _ := m.Export("old"); e.Type.String() != "(i32, i64) -> i32" {
		t.Errorf("export of an import: %+v", e)
	}
	if !m.Start || m.Functions != 1 || len(m.Custom) != 2 || m.Custom[1].Size != 3 {
		t.Errorf("start %v, functions %d, custom %+v", m.Start, m.Functions, m.Custom)
	}
	if m.Producers.Language[0] != (Producer{"Go", "1.26"}) || m.Producers.SDK[0].Name != "ringfence" {
		t.Errorf("producers: %+v", m.Producers)
	}
}

// A custom section means nothing to an engine, so a broken one breaks nothing.
func TestBrokenProducersAreIgnored(t *testing.T) {
	for _, content := range [][]byte{{}, {1}, {200}, {1, 3, 'a'}, {1, 3, 's', 'd', 'k', 1, 1}} {
		if _, err := Parse(module(custom("producers", content...))); err != nil {
			t.Errorf("% x: %v", content, err)
		}
	}
}

// A small file with as many entries as are allowed must not become a large module.
func TestParsedSizeIsBounded(t *testing.T) {
	var imports, exports, customs, funcs [][]byte
	for i := range maxImports {
		imports = append(imports, imp("", "", 3, 0x7f, 0))
		exports = append(exports, exp(string(rune(i+1<<16)), 3, 0))
		customs = append(customs, custom(""))
	}
	for range maxFunctions {
		funcs = append(funcs, raw{0})
	}
	types := slices.Repeat([][]byte{fn(":")}, maxTypes)
	codes := sec(idCode, appendLEB(nil, maxFunctions))
	file := module(append(customs, vec(idType, types...), vec(idImport, imports...), vec(idFunction, funcs...), vec(idExport, exports...), codes)...)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	m := mustParse(t, file)
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 64<<20 {
		t.Errorf("%d bytes became %d", len(file), grown)
	} else {
		t.Logf("%d bytes became %d", len(file), grown)
	}
	runtime.KeepAlive(m)
}

func TestEveryPrefixOfAModuleIsRefusedOrWhole(t *testing.T) {
	whole := newGuest().bytes()
	for n := range len(whole) {
		m, err := Parse(whole[:n])
		if err == nil && m.CheckGuest() == nil {
			t.Errorf("the first %d of %d bytes pass for a guest", n, len(whole))
		}
	}
}
