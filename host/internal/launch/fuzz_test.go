package launch

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/hashicorp/go-hclog"
)

func FuzzHandshake(f *testing.F) {
	for _, s := range []string{
		"1|1|unix|./plugin123|grpc|", "1|1|unix|./plugin123|grpc", "1|1|tcp|127.0.0.1:1|grpc|", "1|1|unix|./../x|grpc|",
		"1|1|unix|/var/run/docker.sock|grpc|", "1|1|unix|./a/b|grpc|", "1|1|unix|./s|grpc|MIIB", "1|1|unix|./s|grpc||true",
		"", "|||||", "1|1|unix|./s\x00|grpc|", "01|1|unix|./s|grpc|", "1|+1|unix|./s|grpc|",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		name, err := parseHandshake(line)
		if err != nil {
			if !errors.Is(err, ErrHandshake) || len(err.Error()) > 500 || !oneCleanLine(err.Error()) {
				t.Errorf("%q: %q", line, err)
			}
			return
		}
		if name == "" || name[0] == '.' || strings.ContainsAny(name, "/\x00|\n") {
			t.Errorf("%q: socket %q", line, name)
		}
		if again, err := parseHandshake(strings.TrimSuffix(canonical(name), "\n")); err != nil || again != name {
			t.Errorf("%q: the line shown to go-plugin reads as %q, %v", line, again, err)
		}
	})
}

func oneCleanLine(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if !strconv.IsPrint(r) {
			return false
		}
	}
	return true
}

func FuzzQuote(f *testing.F) {
	f.Add("plain", 10)
	f.Add("\x1b]0;x\x07\u202e\xff\n\\é", 7)
	f.Fuzz(func(t *testing.T, s string, n int) {
		q := quote(s)
		if !oneCleanLine(q) {
			t.Errorf("%q: %q", s, q)
		}
		if n = max(n, 8); len(clip(q, n)) > n || !utf8.ValidString(clip(q, n)) {
			t.Errorf("%q clipped to %d: %q", q, n, clip(q, n))
		}
	})
}

// What is printed, however it is cut into pieces, gives the same bounded lines.
func FuzzPrinted(f *testing.F) {
	for _, s := range []string{
		`{"@message":1}`, `{"@level":"info","@message":"x","k":"v"}`, "panic: x\n\ngoroutine 1", "\n\n", strings.Repeat("x", 20000),
		`{"@level":"error","@message":"a\nb","\u001b":"\u202e"}`, `{"@level":"info","@message":null}`,
	} {
		f.Add(s, 3)
	}
	f.Fuzz(func(t *testing.T, s string, piece int) {
		piece = min(max(piece, 1), len(s)+1)
		run := func(size int) []string {
			var lines []string
			p := newPrinted(&Spec{Name: "fuzz", Logger: hclog.NewNullLogger(), Stderr: func(line string) { lines = append(lines, line) }})
			out := &stream{to: p, name: "stderr"}
			for rest := s; len(rest) > 0; rest = rest[min(size, len(rest)):] {
				out.write([]byte(rest[:min(size, len(rest))]))
			}
			out.end()
			words, _ := p.words()
			for _, w := range append(words, lines...) {
				if !oneCleanLine(w) || len(w) > 10*maxPrinted+100 {
					t.Errorf("line of %d bytes: %q", len(w), clip(w, 200))
				}
			}
			if len(words) > tailLines {
				t.Errorf("%d last words", len(words))
			}
			return lines
		}
		whole, pieces := run(len(s)+1), run(piece)
		if strings.Join(whole, "\n") != strings.Join(pieces, "\n") {
			t.Errorf("in pieces of %d: %q, as a whole: %q", piece, pieces, whole)
		}
	})
}

func FuzzStdio(f *testing.F) {
	f.Add([]byte{8, 1, 18, 2, 'h', 'i'})
	f.Add([]byte{18, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, data := parseStdio(b); len(data) > len(b) {
			t.Errorf("%d bytes out of %d", len(data), len(b))
		}
	})
}

func FuzzGreeting(f *testing.F) {
	f.Add([]byte("1|1|unix|./s|grpc|\nrest"), 4)
	f.Fuzz(func(t *testing.T, b []byte, piece int) {
		line := make(chan greeted, 1)
		g := &greeting{line: line}
		piece = max(piece, 1)
		for rest := b; len(rest) > 0; rest = rest[min(piece, len(rest)):] {
			g.write(rest[:min(piece, len(rest))])
		}
		g.end()
		got := <-line
		want, _, ok := strings.Cut(string(b), "\n")
		if ok = ok && len(want) <= maxLine; ok != (got.err == nil) || (ok && got.line != want) {
			t.Errorf("got %q, %v, want %q, %v", clip(got.line, 100), got.err, clip(want, 100), ok)
		}
	})
}

func TestLogLevels(t *testing.T) {
	for line, want := range map[string]hclog.Level{
		`{"@level":"warn","@message":"m"}`:             hclog.Warn,
		`{"@level":"off","@message":"m"}`:              hclog.NoLevel,
		`{"@level":"warn","@message":1}`:               hclog.NoLevel,
		`{"@level":["warn"],"@message":"m"}`:           hclog.NoLevel,
		`{"@message":"m"}`:                             hclog.NoLevel,
		`not JSON`:                                     hclog.NoLevel,
		`{"@level":"warn","@message":"m"} and more`:    hclog.NoLevel,
		`{"@level":"info","@message":"m","n":{"a":1}}`: hclog.Info,
	} {
		if got, _, _ := decodeLog([]byte(line)); got != want {
			t.Errorf("%s: level %v, want %v", line, got, want)
		}
	}
}
