package guest

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/ringfence/ringfence/pluginkit"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestLastWords(t *testing.T) {
	trace := "\n\ngoroutine 1 [running]:\nmain.main()\n\t/src/main.go:7 +0x20\n"
	for name, c := range map[string]struct {
		writes []string
		want   string
		memory bool
	}{
		"nothing":       {nil, "", false},
		"panic":         {[]string{"panic: boom" + trace}, "panic: boom", false},
		"in pieces":     {[]string{"log line\npan", "ic: ", "boom", trace, strings.Repeat("x", 9000)}, "panic: boom", false},
		"nested":        {[]string{"panic: a [recovered]\n\tpanic: b" + trace}, `panic: a [recovered]\n\tpanic: b`, false},
		"not at a line": {[]string{"do not panic: it is fine\n"}, "do not panic: it is fine", false},
		"memory":        {[]string{"runtime: out of memory: cannot allocate 1-byte block\nfatal error: out of memory" + trace}, `runtime: out of memory: cannot allocate 1-byte block\nfatal error: out of memory`, true},
		"terminal":      {[]string{"\x1b]0;title\x07\x9b31m\xff\u202e"}, `\x1b]0;title\a\x9b31m\xff\u202e`, false},
		"the end of it": {[]string{strings.Repeat("x", 9000) + "end"}, strings.Repeat("x", pluginkit.MaxFailure-3) + "end", false},
	} {
		var w lastWords
		for _, s := range c.writes {
			w.write([]byte(s))
		}
		if got := w.String(); got != c.want || w.outOfMemory() != c.memory {
			t.Errorf("%s: %q, out of memory %v", name, got, w.outOfMemory())
		}
	}
}

func FuzzLastWords(f *testing.F) {
	f.Add([]byte("panic: boom\n\ngoroutine 1"), 3)
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		var w lastWords
		cut = min(max(cut, 0), len(b))
		w.write(b[:cut])
		w.write(b[cut:])
		s := w.String()
		if len(w.text) > pluginkit.MaxFailure || len(s) > pluginkit.MaxFailure || !utf8.ValidString(s) || strings.ContainsAny(s, "\n\r\x1b\x00") {
			t.Errorf("%q became %q", b, s)
		}
	})
}

func TestLogLines(t *testing.T) {
	var got []string
	var l logger
	l.reset(func(level int, line string) { got = append(got, fmt.Sprint(level, " ", line)) })
	l.output(1, []byte("one\ntw"))
	l.output(2, []byte("warning\n"))
	l.output(1, []byte("o\n\nthree"))
	l.line(0, "bad \xff")
	l.flush()
	if want := "1 one|2 warning|1 two|1 |0 bad \uFFFD|1 three"; strings.Join(got, "|") != want {
		t.Errorf("%q, want %q", strings.Join(got, "|"), want)
	}
	got = nil
	l.output(1, []byte(strings.Repeat("x", 3*pluginkit.MaxLog+5)))
	l.flush()
	if len(got) != 4 || len(got[0]) != pluginkit.MaxLog+2 || len(got[3]) != 7 {
		t.Errorf("a line without an end became %d lines", len(got))
	}
	got = nil
	l.reset(l.sink)
	for range 1000 {
		l.line(1, strings.Repeat("x", pluginkit.MaxLog))
	}
	l.flush()
	if len(got) != maxLogBytes/pluginkit.MaxLog+1 || !strings.HasPrefix(got[len(got)-1], "2 suppressed 744 log lines") {
		t.Errorf("%d lines, the last one %q", len(got), got[len(got)-1])
	}
}

func FuzzLog(f *testing.F) {
	f.Add([]byte("a\nb"), 1)
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		var l logger
		l.reset(func(_ int, line string) {
			if len(line) > pluginkit.MaxLog || !utf8.ValidString(line) {
				t.Errorf("line %q", line)
			}
		})
		cut = min(max(cut, 0), len(b))
		l.output(1, b[:cut])
		l.output(1, b[cut:])
		l.flush()
	})
}

// ram is a guest's memory without a guest.
type ram []byte

func (r ram) Size() uint64    { return uint64(len(r)) }
func (r ram) Maximum() uint64 { return uint64(len(r)) }
func (r ram) Read(offset, n uint64) ([]byte, bool) {
	if offset > r.Size() || n > r.Size()-offset {
		return nil, false
	}
	return append([]byte(nil), r[offset:offset+n]...), true
}
func (r ram) ReadInto(offset uint64, b []byte) bool {
	data, ok := r.Read(offset, uint64(len(b)))
	return ok && copy(b, data) == len(b)
}
func (r ram) Write(offset uint64, b []byte) bool {
	return offset <= r.Size() && uint64(len(b)) <= r.Size()-offset && copy(r[offset:], b) == len(b)
}

func FuzzReadRecord(f *testing.F) {
	f.Add(uint64(0), uint32(0), uint32(16), uint32(4), uint32(0))
	f.Add(uint64(0), uint32(77), uint32(16), uint32(4), uint32(0))
	f.Add(uint64(0), uint32(0), uint32(1<<32-1), uint32(1<<32-1), uint32(0))
	f.Add(uint64(1<<32-16), uint32(0), uint32(0), uint32(0), uint32(0))
	f.Fuzz(func(t *testing.T, at uint64, status, pointer, length, reserved uint32) {
		memory := make(ram, 256)
		if at <= 240 {
			for i, v := range []uint32{status, pointer, length, reserved} {
				binary.LittleEndian.PutUint32(memory[at+4*uint64(i):], v)
			}
		}
		r, failure := readRecord(memory, at)
		if failure == nil && (r.status > 2 || at%4 != 0 || at > 240 || r.pointer+r.length > 256) {
			t.Errorf("record at %d: %+v", at, r)
		}
	})
}

func TestParseRequest(t *testing.T) {
	for text, want := range map[string]string{
		`{"method":"GET","url":"https://a/","headers":[["A","b"]]}`: "",
		`{}`:                           "",
		``:                             "EOF",
		`{"method":"GET"} {}`:          "after the end",
		`{"method":7}`:                 "cannot unmarshal",
		`{"redirects":true}`:           "unknown field",
		`{"headers":[["A"]]}`:          "pair",
		`{"headers":[["A","b","c"]]}`:  "pair",
		strings.Repeat(`[`, 60_000):    "",
		`{"method":"GET","method":"P"`: "EOF",
	} {
		_, err := parseRequest([]byte(text))
		if want == "" && err != nil && text[0] == '{' || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%.40s: %v, want %q", text, err, want)
		}
	}
}

func FuzzParseRequest(f *testing.F) {
	f.Add([]byte(`{"method":"GET","url":"https://a/","headers":[["A","b"]]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseRequest(b)
		if err == nil && (!utf8.ValidString(r.Method) || !utf8.ValidString(r.URL)) {
			t.Errorf("%q is not text", r)
		}
	})
}
