package modcache

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestEntriesSayWhatTheyAreFor(t *testing.T) {
	long := "/" + strings.Repeat("x", 2*labelSize) + "/jq.wasm"
	for name, tt := range map[string]struct {
		given Label
		want  func(Label) bool
	}{
		"a path":          {Label{"jq", "wasmer", "/tools/jq.wasm"}, func(l Label) bool { return l == Label{"jq", "wasmer", "/tools/jq.wasm"} }},
		"nothing":         {Label{}, func(l Label) bool { return l == Label{} }},
		"a long path":     {Label{"jq", "wasmer", long}, func(l Label) bool { return l.Engine == "wasmer" && strings.HasSuffix(l.Source, "x/jq.wasm") }},
		"escape sequence": {Label{"jq", "wasmer", "/\x1b[2J"}, func(l Label) bool { return l.Source == `/\x1b[2J` }},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := Open(filepath.Join(t.TempDir(), "c"), 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Put(Key{1}, tt.given, func(w io.Writer) error { _, err := io.WriteString(w, "code"); return err }); err != nil {
				t.Fatal(err)
			}
			all, err := c.List()
			if err != nil || len(all) != 1 || !tt.want(all[0].Label) {
				t.Errorf("%+v, %v", all, err)
			}
			if f, n, err := c.Get(Key{1}); err != nil || n != 4 {
				t.Errorf("the entry has %d bytes, %v", n, err)
			} else {
				f.Close()
			}
		})
	}
}

// A label is read before anything is known of its file.
func TestLabelsOfFilesThatAreNoEntries(t *testing.T) {
	c, err := Open(filepath.Join(t.TempDir(), "c"), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"an empty file":       "",
		"another version":     strings.Repeat("RFMODC01", headerSize),
		"a label without end": magic + strings.Repeat("x", headerSize),
	} {
		if err := os.WriteFile(c.path(Key{2}), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if all, err := c.List(); err != nil || len(all) != 1 || all[0].Label != (Label{}) {
			t.Errorf("%s: %+v, %v", name, all, err)
		}
	}
}
