package artifact

import (
	"bytes"
	"testing"
)

// Compiled code is run as it is, so what is not ours must not get that far.
func TestParse(t *testing.T) {
	good := Marshal("engine 1", []byte("module"), nil, bytes.Repeat([]byte("x"), 17))
	parts, err := Parse(good, "engine 1")
	if err != nil || string(parts[0]) != "module" || len(parts[1]) != 0 || len(parts[2]) != 17 || len(parts[3]) != 0 {
		t.Fatalf("%q, %v", parts, err)
	}
	changed := func(at int, by byte) []byte {
		b := bytes.Clone(good)
		b[at] ^= by
		return b
	}
	for name, b := range map[string][]byte{
		"empty": nil, "short": good[:headerLength-1], "truncated": good[:len(good)-1], "longer": append(bytes.Clone(good), 0),
		"magic": changed(0, 1), "length": changed(lengthsAt+1, 1), "identity": changed(identityAt+3, 1), "huge length": changed(lengthsAt+7, 0x80),
		"an end between": changed(lengthsAt+8, 16),
	} {
		if _, err := Parse(b, "engine 1"); err == nil {
			t.Errorf("%s: parsed", name)
		}
	}
	if _, err := Parse(good, "engine 2"); err == nil {
		t.Error("parsed the code of another engine")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(Marshal("e", []byte("guest"), []byte("gate")))
	f.Fuzz(func(t *testing.T, b []byte) {
		parts, err := Parse(b, "e")
		n := 0
		for _, p := range parts {
			n += len(p)
		}
		if err == nil && n > len(b) {
			t.Error("parts larger than the whole")
		}
	})
}
