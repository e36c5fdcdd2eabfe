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

// FuzzDecode: whatever a caller sends, the decoder answers with a value that
// can be written and read again, or with a problem; it never panics.
func FuzzDecode(f *testing.F) {
	f.Add(everythingJSON)
	f.Add(`{"text":"","small":0,"count":1e2,"rate":1,"sides":[],"inner":{"name":""},"many":[],"pair":[0,0],"map":{},"data":"","when":"0001-01-01T00:00:00Z","raw":0,"any":0,"number":-1e9,"NoTag":"","duration":-1}`)
	in, err := For(reflect.TypeFor[everything](), Input)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var got, again everything
		if in.Decode([]byte(text), reflect.ValueOf(&got).Elem()) != nil {
			return
		}
		encoded, err := in.Encode(reflect.ValueOf(got))
		if err != nil {
			// A time may be read that RFC 3339 cannot write.
			if strings.HasPrefix(err.Error(), "when: ") {
				return
			}
			t.Fatalf("%q was read and cannot be written: %v", text, err)
		}
		if err := in.Decode(encoded, reflect.ValueOf(&again).Elem()); err != nil {
			t.Fatalf("%q was written as %s: %v", text, encoded, err)
		}
	})
}
