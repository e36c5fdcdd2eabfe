package shape

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzAny holds the reader against encoding/json: both take a text or neither
// does, and both read the same from it.
func FuzzAny(f *testing.F) {
	for _, seed := range []string{
		`{"a":[1,-0.5e+3,"\u00e4\ud83d\ude00\ud83d\n"],"b":{}}`, `[]`, ` null `, `"\ud800"`, `"\ud800\u0041"`, "\"\xff\"",
		`[1,]`, `{"a":1,}`, `{,}`, `[,1]`, `{"a"}`, `{"a":}`, `{1:2}`, `01`, `1.`, `-`, `.5`, `1e`, `+1`, `tru`, `nul`, `"a`, `"\x"`, `"\u12"`,
		"\"\t\"", `[1 2]`, `[`, `{`, `]`, `1 2`, ``, ` `, `[[[[]]]]`, `{"a":{"b":[{}]}}`, `1e999`, `[}`, `{]`, "\x00", `{"a":1 "b":2}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var want any
		wanted := json.Unmarshal([]byte(text), &want)
		got, err := Any([]byte(text))
		if (err == nil) != (wanted == nil) {
			t.Fatalf("%q: got %v, encoding/json says %v", text, err, wanted)
		}
		if wanted == nil && utf8.ValidString(text) && !reflect.DeepEqual(got, want) {
			t.Fatalf("%q: got %#v, encoding/json reads %#v", text, got, want)
		}
		r := &reader{data: []byte(text)}
		_, err = r.skip()
		if err == nil {
			err = r.end()
		}
		if (err == nil) != json.Valid([]byte(text)) {
			t.Fatalf("%q: skip says %v", text, err)
		}
		if wanted != nil {
			return
		}
		s, err := For(reflect.TypeFor[any](), Output)
		if err != nil {
			t.Fatal(err)
		}
		encoded, err := s.Append(nil, reflect.ValueOf(&got).Elem())
		if err != nil {
			t.Fatal(err)
		}
		var again any
		if err := json.Unmarshal(encoded, &again); err != nil || !reflect.DeepEqual(again, got) {
			t.Fatalf("%q was written as %s: %v", text, encoded, err)
		}
	})
}

// TestDepth: nesting costs stack, which a caller must not be able to spend.
func TestDepth(t *testing.T) {
	deep := strings.Repeat("[", 1_000_000)
	if _, err := Any([]byte(deep)); err == nil || !strings.Contains(err.Error(), "nested deeper than 1000") {
		t.Errorf("any: %v", err)
	}
	if _, err := (&reader{data: []byte(deep)}).skip(); err == nil || !strings.Contains(err.Error(), "nested deeper than 1000") {
		t.Errorf("skip: %v", err)
	}
	wide := strings.Repeat("[[]],", 20_000)
	if _, err := Any([]byte("[" + wide + "1]")); err != nil {
		t.Errorf("wide: %v", err)
	}
}
