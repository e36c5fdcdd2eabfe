package printable

import (
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestLineEscapesWhatCouldDeceiveAReader(t *testing.T) {
	for name, tt := range map[string]struct{ in, want string }{
		"plain":           {"panic: boom", "panic: boom"},
		"umlaut":          {"größer", "größer"},
		"line breaks":     {"a\nb\r", `a\nb\r`},
		"terminal escape": {"\x1b[2J", `\x1b[2J`},
		"direction mark":  {"a\u202eb", `a\u202eb`},
		"zero width":      {"a\u200bb", `a\u200bb`},
		"not UTF-8":       {"\xff\x0a", `\xff\n`},
		"empty":           {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Line(tt.in, 100); got != tt.want {
				t.Errorf("Line(%q) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}

func FuzzLine(f *testing.F) {
	f.Add("a\x1b\xff\u202e\n", 10)
	f.Fuzz(func(t *testing.T, s string, max int) {
		if max < 16 || max > 1<<16 {
			return
		}
		got := Line(s, max)
		if len(got) > max || !utf8.ValidString(got) || strings.ContainsFunc(got, func(r rune) bool { return !strconv.IsPrint(r) && r != '…' }) {
			t.Fatalf("Line(%q, %d) = %q", s, max, got)
		}
	})
}
