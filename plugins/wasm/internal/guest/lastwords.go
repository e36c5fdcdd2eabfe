package guest

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/ringfence/ringfence/pluginkit"
)

// lastWords keeps what a guest wrote to its standard error and may have been
// its reason to die: the end of it, or, from where a Go guest began to panic,
// the beginning of that.
type lastWords struct {
	text   []byte
	pinned bool // text begins with a panic: keep its beginning
}

// What the Go runtime prints at the beginning of a line when a program dies.
var dying = [][]byte{[]byte("panic: "), []byte("fatal error: "), []byte("runtime: out of memory")}

func (w *lastWords) write(b []byte) {
	if w.pinned {
		w.text = append(w.text, b[:min(len(b), pluginkit.MaxFailure-len(w.text))]...)
		return
	}
	w.text = append(w.text, b...)
	if at := beginOfDying(w.text); at >= 0 {
		w.pinned = true
		w.text = w.text[at:min(len(w.text), at+pluginkit.MaxFailure)]
		return
	}
	if over := len(w.text) - pluginkit.MaxFailure; over > 0 {
		w.text = append(w.text[:0], w.text[over:]...)
	}
}

// beginOfDying is where the first line begins that the Go runtime prints when a
// program dies, or -1.
func beginOfDying(text []byte) int {
	for at := 0; at < len(text); {
		for _, d := range dying {
			if bytes.HasPrefix(text[at:], d) {
				return at
			}
		}
		next := bytes.IndexByte(text[at:], '\n')
		if next < 0 {
			return -1
		}
		at += next + 1
	}
	return -1
}

func (w *lastWords) reset() { *w = lastWords{} }

// outOfMemory says whether a Go guest died for want of memory.
func (w *lastWords) outOfMemory() bool {
	return w.pinned && (bytes.HasPrefix(w.text, []byte("runtime: out of memory")) ||
		bytes.HasPrefix(w.text, []byte("fatal error: out of memory")) ||
		bytes.Contains(w.text, []byte("\nfatal error: out of memory")))
}

// String is the last words in one line. Of a Go guest's panic it is all before
// the stack trace.
func (w *lastWords) String() string {
	text := string(w.text)
	if w.pinned {
		if end := strings.Index(text, "\n\ngoroutine "); end >= 0 {
			text = text[:end]
		}
	}
	return escape(strings.TrimSpace(text), pluginkit.MaxFailure)
}

// escape makes one line of printable UTF-8 out of anything, as strconv.Quote
// does but without the quotes, in at most limit bytes.
func escape(s string, limit int) string {
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		piece := s[:n]
		switch {
		case r == utf8.RuneError && n == 1:
			piece = `\x` + strconv.FormatUint(uint64(s[0])|0x100, 16)[1:]
		case !strconv.IsPrint(r):
			piece = strings.Trim(strconv.QuoteRune(r), "'")
		}
		if b.Len()+len(piece) > limit {
			break
		}
		b.WriteString(piece)
		s = s[n:]
	}
	return b.String()
}
