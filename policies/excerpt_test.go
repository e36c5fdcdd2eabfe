package policies

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
)

// Rendering what is wrong with a stranger's policy took most of a minute for many
// lines and wrote 26 MB for a long one.
func TestFaultsOfAHugePolicyAreShownShort(t *testing.T) {
	long := strings.Repeat("\"GTT\",", (maxFileSize-1000)/6)
	for name, tt := range map[string]struct{ src, shows string }{
		"many lines before": {strings.Repeat("\n", 200_000) + strings.Repeat("a {}\n", 50), "on x.hcl line 200001:\n"},
		"a long line": {"plugin \"p\" {\n  source = \"x\"\n  http {\n    allow \"h.example\" {\n      methods = [" +
			long + "]\n    }\n  }\n}\n", "   5:       methods = [\"GTT\""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("x.hcl", []byte(tt.src), Options{})
			var faults *DiagnosticsError
			if !errors.As(err, &faults) {
				t.Fatalf("got %v", err)
			}
			var out bytes.Buffer
			if err := faults.Render(&out, 80, true); err != nil {
				t.Fatal(err)
			}
			plain := out.String()
			for _, code := range []string{"\x1b[0m", "\x1b[1m", "\x1b[4m", "\x1b[31m", "\x1b[1;4m"} {
				plain = strings.ReplaceAll(plain, code, "")
			}
			if out.Len() > 64<<10 || !strings.Contains(plain, tt.shows) {
				t.Errorf("%d bytes without %q: %.600q", out.Len(), tt.shows, plain)
			}
		})
	}
}

func TestAnExcerptKeepsPlaces(t *testing.T) {
	text := "first line\nsecond = wrong\n\nfourth = \"" + strings.Repeat("x", 1000) + "\"\nfifth = bad"
	at := func(line int, s string) *hcl.Range {
		b := strings.Index(text, s)
		return &hcl.Range{Filename: "f", Start: hcl.Pos{Line: line, Byte: b}, End: hcl.Pos{Line: line, Byte: b + len(s)}}
	}
	whole := &hcl.Range{Filename: "f", Start: hcl.Pos{Line: 4, Byte: strings.Index(text, "fourth")}, End: hcl.Pos{Line: 4, Byte: strings.Index(text, "\nfifth")}}
	files, diags := excerpts(map[string]*hcl.File{"f": {Bytes: []byte(text)}},
		hcl.Diagnostics{{Subject: at(2, "wrong")}, {Subject: at(5, "bad")}, {Subject: whole}, {Subject: &hcl.Range{Filename: "other"}}, {}})
	short := string(files["f"].Bytes)
	for i, want := range []string{"wrong", "bad", "fourth = \"" + strings.Repeat("x", maxLineText-10) + "…"} {
		s := diags[i].Subject
		if got := short[s.Start.Byte:s.End.Byte]; got != want {
			t.Errorf("%d: %q, want %q", i, got, want)
		}
	}
	if strings.Contains(short, "first") || strings.Count(short, "\n") != strings.Count(text, "\n") {
		t.Errorf("the excerpt is %q", short)
	}
}
