package printable

import (
	"encoding/json"
	"testing"
)

func TestTextShowsAllThatIsThere(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"plain":             {"naïve 日本 👩‍🚀\n\tx", "naïve 日本 👩‍🚀\n\tx"},
		"an escape":         {"a\x1b[2Jb", `a\u{1b}[2Jb`},
		"a C1 escape":       {"a\u009b2Jb", `a\u{9b}2Jb`},
		"an override":       {"a\u202eb", `a\u{202e}b`},
		"tags":              {"a\U000e0041b", `a\u{e0041}b`},
		"a byte order mark": {"\ufeffa", `\u{feff}a`},
		"a carriage return": {"ab\rc", `ab\rc`},
		"lines of Windows":  {"a\r\nb", "a\nb"},
		"not UTF-8":         {"a\xffb", "a\uFFFDb"},
		"a bell":            {"\a", `\u{7}`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Text(tt.text); got != tt.want {
				t.Fatalf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestJSONMeansTheSame(t *testing.T) {
	const text = "{\"a\u202e\":[\"\U000e0041\",\"\u009b\",\"\x7f\",\"👩‍🚀\\u001b\\\\\"]}"
	got := JSON([]byte(text))
	for _, r := range string(got) {
		if Hidden(r) {
			t.Fatalf("%q still holds %q", got, r)
		}
	}
	var before, after any
	if json.Unmarshal([]byte(text), &before) != nil || json.Unmarshal(got, &after) != nil {
		t.Fatalf("%s is not JSON", got)
	}
	a, _ := json.Marshal(before)
	b, _ := json.Marshal(after)
	if string(a) != string(b) {
		t.Fatalf("got %s, want %s", b, a)
	}
}
