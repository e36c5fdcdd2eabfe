package jsonscan

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

var text = strings.Repeat("text, ", 100)

var judged = []string{
	``, ` `, `{}`, `17`, `"`, `""`, `"a`, `nul`, `{"a":`,
	`"` + text + `"`, `"` + text, `{"` + text + `":"` + text + `"}`, `{"` + text + `" "` + text + `"}`, `["` + text + `",]`,
	`"` + text + `\` + text + `"`, `"` + text + `\n` + text + `"`, `"` + text + `\`, `"` + text + `\"`, `"` + text + `\\"`,
	`"` + text + `\u00e9` + text + `"`, `"` + text + `\u00` + text + `"`, `"` + text + `\u00"` + text + `"`, `"` + text + `\u12`,
	"\"" + text + "\n" + text + "\"", "\"" + text + "\x00\"", "\"" + text + "\x1f\"", "\"" + text + "\x7f\xff\x80é\"",
	`\"` + text + `"`, text, `"` + text + `" "` + text + `"`, `"` + text + `"}`, `{"a":"` + text + `"} {}`,
	`[` + strings.Repeat(`1,`, 400) + `"` + text + `"]`, strings.Repeat(`[`, 20_000) + `"` + strings.Repeat(text, 1000) + `"` + strings.Repeat(`]`, 20_000),
}

func TestValidIsJSONValid(t *testing.T) {
	for _, raw := range judged {
		if got, want := Valid([]byte(raw)), json.Valid([]byte(raw)); got != want {
			t.Errorf("%.60q, %d bytes: %v, want %v", raw, len(raw), got, want)
		}
	}
	// Each byte at each place of a word, alone and behind others that are special.
	for c := range 256 {
		for at := range 24 {
			b := []byte(`"` + text + strings.Repeat("x", 24) + text + `"`)
			b[1+len(text)+at] = byte(c)
			for _, raw := range [][]byte{b, append([]byte(`"\u00e9`), b[1:]...), append([]byte("\"\x80\xff"), b[1:]...)} {
				if got, want := Valid(raw), json.Valid(raw); got != want {
					t.Errorf("byte %#x at %d of %.10q: %v, want %v", c, at, raw, got, want)
				}
			}
		}
	}
}

func TestValidCutsTextOutAndNothingElse(t *testing.T) {
	raw := `{"` + text + `": ["` + text + `\u00e9` + text + `\\", 1]}`
	left, ok := withoutText([]byte(raw), len(raw)/2)
	if want := `{"": ["\u00e9\\", 1]}`; !ok || string(left) != want {
		t.Errorf("%q, %v; want %q", left, ok, want)
	}
	numbers := `[` + strings.Repeat(`1,`, 1000) + `1]`
	if left, ok := withoutText([]byte(numbers), len(numbers)/2); ok {
		t.Errorf("%d of %d bytes are left", len(left), len(numbers))
	}
}

func FuzzValid(f *testing.F) {
	for _, raw := range judged {
		f.Add([]byte(raw), uint8(3))
	}
	f.Fuzz(func(t *testing.T, raw []byte, times uint8) {
		// Longer texts than a fuzzer finds by itself.
		for _, raw := range [][]byte{raw, []byte(strings.ReplaceAll(string(raw), "x", strings.Repeat("x", int(times))))} {
			if got, want := Valid(raw), json.Valid(raw); got != want {
				t.Fatalf("%q: %v, want %v", raw, got, want)
			}
		}
	})
}

func BenchmarkValid(b *testing.B) {
	for name, raw := range map[string]string{
		"text": `{"text":"` + strings.Repeat(text, 2000) + `"}`, "numbers": `[` + strings.Repeat(`1234,`, 200_000) + `1]`,
		"lines": `{"text":"` + strings.Repeat(strings.Repeat("x", 60)+`\n`, 17_000) + `"}`, "words": `[` + strings.Repeat(`"word",`, 150_000) + `1]`,
	} {
		for way, valid := range map[string]func([]byte) bool{"baseline=json": json.Valid, "ours": Valid} {
			b.Run(fmt.Sprintf("%s/%s", name, way), func(b *testing.B) {
				b.SetBytes(int64(len(raw)))
				for b.Loop() {
					if !valid([]byte(raw)) {
						b.Fatal("not valid")
					}
				}
			})
		}
	}
}
