package modcache

import (
	"bytes"
	"io"
	"path/filepath"

	"github.com/ringfence/ringfence/host/internal/printable"
)

// Label says to people for what an entry was made. Others may use it, too: the same
// module under another name, or another path.
type Label struct {
	Plugin string `json:"plugin,omitempty"`
	Engine string `json:"engine,omitempty"`
	Source string `json:"source,omitempty"` // the module's path
}

// append adds a label of labelSize bytes to a header. Of a path that is too long, the
// end stays.
func (l Label) append(header []byte) []byte {
	text := l.Plugin + "\x00" + l.Engine + "\x00"
	if room := labelSize - len(text) - 1; len(l.Source) > room {
		l.Source = "…" + l.Source[len(l.Source)-room+len("…"):]
	}
	label := make([]byte, labelSize)
	copy(label, text+l.Source)
	return append(header, label...)
}

// label reads what an entry's header says, without the work of checking that the
// entry is authentic: it is shown, and decides nothing.
func (c *Cache) label(name string) Label {
	f, err := openRegular(filepath.Join(c.dir, name+entryExt))
	if err != nil {
		return Label{}
	}
	defer f.Close()
	header := make([]byte, headerSize)
	if _, err := io.ReadFull(f, header); err != nil || string(header[:len(magic)]) != magic {
		return Label{}
	}
	words := bytes.SplitN(header[labelAt:labelAt+labelSize], []byte{0}, 4)
	if len(words) != 4 {
		return Label{}
	}
	word := func(i int) string { return printable.Line(string(words[i]), labelSize) }
	return Label{Plugin: word(0), Engine: word(1), Source: word(2)}
}
