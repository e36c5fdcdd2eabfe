package shape

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
)

type inner struct {
	Name string   `json:"name"`
	Tags []string `json:"tags,omitempty"`
}

type embedded struct {
	Page int `json:"page" default:"1" minimum:"1"`
}

type everything struct {
	Text     string            `json:"text" description:"some \"text\""`
	Flag     bool              `json:"flag,omitempty"`
	Small    int8              `json:"small"`
	Count    uint              `json:"count"`
	Rate     float64           `json:"rate" minimum:"0" maximum:"1"`
	Sort     string            `json:"sort" enum:"up,down" default:"up"`
	Level    int               `json:"level" enum:"1,2,3" default:"2"`
	Sides    []string          `json:"sides" enum:"left,right"`
	Inner    inner             `json:"inner"`
	Maybe    *inner            `json:"maybe"`
	Many     []inner           `json:"many"`
	Pair     [2]int            `json:"pair"`
	Map      map[string]uint16 `json:"map"`
	Data     []byte            `json:"data"`
	When     time.Time         `json:"when"`
	Raw      json.RawMessage   `json:"raw"`
	Any      any               `json:"any"`
	Number   json.Number       `json:"number"`
	Left     string            `json:"-"`
	NoTag    string
	hidden   int
	Duration time.Duration `json:"duration"`
	embedded
}

const everythingJSON = `{"text":"a\n\"b\" ü 😀","flag":true,"small":-128,"count":7,"rate":0.5,"sort":"down","level":3,
	"sides":["left"],"inner":{"name":"n","tags":["x","y"]},"maybe":{"name":"m"},"many":[{"name":"1"},{"name":"2"}],
	"pair":[1,2],"map":{"b":2,"a":1},"data":"aGVsbG8=","when":"2026-01-02T03:04:05Z","raw":{"x": [1,2]},"any":[null,true,1.5,{"k":"v"}],
	"number":123456789012345678901234567890,"NoTag":"n","duration":5,"page":4}`

func shapeOf[T any](t *testing.T, direction Direction) *Shape {
	t.Helper()
	s, err := For(reflect.TypeFor[T](), direction)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestAgreesWithEncodingJSON holds decoder and encoder against the standard library.
func TestAgreesWithEncodingJSON(t *testing.T) {
	var got, want everything
	if err := shapeOf[everything](t, Input).Decode([]byte(everythingJSON), reflect.ValueOf(&got).Elem()); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(everythingJSON), &want); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) || got.hidden != 0 {
		t.Errorf("decoded\n%+v\nwant\n%+v", got, want)
	}
	encoded, err := shapeOf[everything](t, Input).Encode(reflect.ValueOf(got))
	if err != nil {
		t.Fatal(err)
	}
	var again everything
	if err := json.Unmarshal(encoded, &again); err != nil {
		t.Fatalf("%v in %s", err, encoded)
	}
	var compact bytes.Buffer
	_ = json.Compact(&compact, again.Raw)
	if !reflect.DeepEqual(again.Inner, want.Inner) || !reflect.DeepEqual(again.Any, want.Any) || again.Text != want.Text ||
		again.Number != want.Number || !again.When.Equal(want.When) || compact.String() != `{"x":[1,2]}` {
		t.Errorf("encoded %s", encoded)
	}
}

// changed is everythingJSON with another value for key, or without it.
func changed(t *testing.T, key, value string) string {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(everythingJSON), &members); err != nil {
		t.Fatal(err)
	}
	if members[key] = json.RawMessage(value); value == "" {
		delete(members, key)
	}
	b, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestSchemaMeansTheSame asks an independent implementation whether the schema
// allows what the decoder takes, and refuses what it refuses.
func TestSchemaMeansTheSame(t *testing.T) {
	s := shapeOf[everything](t, Input)
	var schema jsonschema.Schema
	if err := json.Unmarshal(s.Schema(), &schema); err != nil {
		t.Fatalf("%v in %s", err, s.Schema())
	}
	resolved, err := schema.Resolve(&jsonschema.ResolveOptions{ValidateDefaults: true})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, text, problem string }{
		{"all", everythingJSON, ""},
		{"optional left out", changed(t, "flag", ""), ""},
		{"pointer left out", changed(t, "maybe", ""), ""},
		{"default left out", changed(t, "sort", ""), ""},
		{"integer as float", changed(t, "small", "3.0"), ""},
		{"null for a pointer", changed(t, "maybe", "null"), "maybe: expected an object, got null"},
		{"required left out", changed(t, "text", ""), `the field "text" is missing`},
		{"unknown", changed(t, "texd", "1"), `unknown field "texd"; the fields are text, flag, `},
		{"wrong kind", changed(t, "text", "1"), "text: expected a string, got a number"},
		{"wrong kind deep", changed(t, "many", `[{"name":"1"},{"name":[]}]`), "many[1].name: expected a string, got an array"},
		{"missing deep", changed(t, "inner", `{}`), `inner: the field "name" is missing`},
		{"too large", changed(t, "small", "128"), "small: expected an integer from -128 to 127, got 128"},
		{"fraction", changed(t, "small", "1.5"), "small: expected an integer from -128 to 127, got 1.5"},
		{"negative", changed(t, "count", "-1"), "count: expected an integer from 0 to 18446744073709551615, got -1"},
		{"over maximum", changed(t, "rate", "1.5"), "rate: expected at most 1, got 1.5"},
		{"under minimum", changed(t, "page", "0"), "page: expected at least 1, got 0"},
		{"not in enum", changed(t, "sort", `"left"`), `sort: expected one of up, down, got "left"`},
		{"number not in enum", changed(t, "level", `4`), `level: expected one of 1, 2, 3, got "4"`},
		{"element not in enum", changed(t, "sides", `["left","up"]`), `sides[1]: expected one of left, right, got "up"`},
		{"short array", changed(t, "pair", "[1]"), "pair: expected 2 elements, got 1"},
		{"long array", changed(t, "pair", "[1,2,3]"), "pair: expected 2 elements, got more"},
		{"map value", changed(t, "map", `{"a":"b"}`), `map["a"]: expected an integer, got a string`},
		{"boolean", changed(t, "flag", `"yes"`), "flag: expected true or false, got a string"},
		{"not an object", "[]", "expected an object, got an array"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var to everything
			err := s.Decode([]byte(test.text), reflect.ValueOf(&to).Elem())
			if err == nil && test.problem != "" || err != nil && (test.problem == "" || !strings.HasPrefix(err.Error(), test.problem)) {
				t.Errorf("got the problem %v, want %q", err, test.problem)
			}
			var value any
			if err := json.Unmarshal([]byte(test.text), &value); err != nil {
				t.Fatal(err)
			}
			if err := resolved.Validate(value); (err == nil) != (test.problem == "") {
				t.Errorf("the schema says %v", err)
			}
		})
	}
}

func TestDefaults(t *testing.T) {
	type args struct {
		Page  int      `json:"page" default:"3"`
		Order string   `json:"order" default:"up"`
		Tags  []string `json:"tags" default:"[\"a\"]"`
		Wait  *bool    `json:"wait" default:"true"`
	}
	var got args
	if err := shapeOf[args](t, Input).Decode([]byte("{}"), reflect.ValueOf(&got).Elem()); err != nil {
		t.Fatal(err)
	}
	if got.Page != 3 || got.Order != "up" || len(got.Tags) != 1 || got.Wait == nil || !*got.Wait {
		t.Errorf("got %+v", got)
	}
}

func TestRawIsNotCopied(t *testing.T) {
	text := []byte(`{"raw": [1, 2, 3]}`)
	var got struct {
		Raw json.RawMessage `json:"raw"`
	}
	s, err := For(reflect.TypeOf(got), Input)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Decode(text, reflect.ValueOf(&got).Elem()); err != nil {
		t.Fatal(err)
	}
	if &got.Raw[0] != &text[8] || cap(got.Raw) != len("[1, 2, 3]") {
		t.Errorf("%q was copied, or can grow into the rest of the text", got.Raw)
	}
}

func TestEmptyNotNull(t *testing.T) {
	type result struct {
		List  []int          `json:"list"`
		Map   map[string]int `json:"map"`
		Maybe *int           `json:"maybe"`
		Zero  time.Time      `json:"zero,omitzero"`
		Any   any            `json:"any"`
		Raw   json.RawMessage
	}
	got, err := shapeOf[result](t, Output).Encode(reflect.ValueOf(result{}))
	if want := `{"list":[],"map":{},"any":null,"Raw":null}`; err != nil || string(got) != want {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
}

func TestCannotEncode(t *testing.T) {
	tests := []struct {
		name    string
		value   any
		problem string
	}{
		{"not a number", map[string]any{"a": []any{math.NaN()}}, `["a"][0]: JSON has no number NaN`},
		{"nil element", []*int{nil}, "[0]: a nil *int has no value to write"},
		{"broken raw", struct{ A json.RawMessage }{json.RawMessage(`{"a"`)}, "A: not valid JSON at byte 4: expected a colon after a key"},
		{"function inside any", []any{func() {}}, "[0]: the type func() has no JSON form"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, err := For(reflect.TypeOf(test.value), Output)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Append(nil, reflect.ValueOf(test.value)); err == nil || err.Error() != test.problem {
				t.Errorf("got %v, want %s", err, test.problem)
			}
		})
	}
}

type recursive struct {
	Next []recursive `json:"next"`
}

type loop []loop

func TestUnsupportedTypes(t *testing.T) {
	type badKey struct{ M map[int]string }
	type badEnum struct {
		F bool `enum:"true"`
	}
	type badDefault struct {
		In struct {
			N int `json:"n" default:"x"`
		} `json:"in"`
	}
	type twice struct {
		inner
		Title string `json:"name"`
	}
	type option struct {
		A int `json:"a,string"`
	}
	type outDefault struct {
		A int `json:"a" default:"1"`
	}
	tests := []struct {
		name      string
		value     any
		direction Direction
		problem   string
	}{
		{"recursion", recursive{}, Input, "next[]: the type shape.recursive contains itself; use json.RawMessage or any for the inner value"},
		{"recursion without a struct", loop{}, Input, "[][]: the type shape.loop contains itself; use json.RawMessage or any for the inner value"},
		{"function", struct{ F func() }{}, Output, "F: the type func() has no JSON form"},
		{"channel", []chan int{}, Output, "[]: the type chan int has no JSON form"},
		{"complex", struct{ C complex128 }{}, Output, "C: the type complex128 has no JSON form"},
		{"interface", struct{ E error }{}, Output, "E: the interface error has no JSON form; use a concrete type or any"},
		{"key", badKey{}, Input, "M: the key type int is not a string, as JSON demands"},
		{"enum of a boolean", badEnum{}, Input, "F: an enum tag needs a string or a number"},
		{"default", badDefault{}, Input, `in.n: the default "x" is wrong: not valid JSON at byte 0: unexpected 'x'`},
		{"default of a result", outDefault{}, Output, "a: a default tag has no meaning in a result"},
		{"same name twice", twice{}, Input, "name: two fields have this JSON name"},
		{"option", option{}, Input, `a: the json option "string" is not supported`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := For(reflect.TypeOf(test.value), test.direction)
			if err == nil || err.Error() != test.problem {
				t.Errorf("got %v\nwant %s", err, test.problem)
			}
		})
	}
}

// TestGivenTwice: of two values for one name a guard might have seen the other one.
func TestGivenTwice(t *testing.T) {
	type args struct {
		A int            `json:"a"`
		M map[string]int `json:"m,omitempty"`
	}
	for text, want := range map[string]string{
		`{"a":1,"a":2}`:               `the field "a" is given twice`,
		`{"a":1,"\u0061":2}`:          `the field "a" is given twice`,
		`{"a":1,"m":{"k":1,"k":2}}`:   `m: the key "k" is given twice`,
		`{"a":1,"m":{"k":1},"m":{}} `: `the field "m" is given twice`,
	} {
		var to args
		err := shapeOf[args](t, Input).Decode([]byte(text), reflect.ValueOf(&to).Elem())
		if err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}
