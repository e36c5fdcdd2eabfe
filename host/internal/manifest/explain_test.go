package manifest

import (
	"strings"
	"testing"
)

// What an assistant is told about its arguments names the place, what is expected
// and what came.
func TestComplaintsCanBeActedOn(t *testing.T) {
	made := tool(t, `{"type":"object","additionalProperties":false,"required":["do"],"properties":{
		"do":{"type":"string","enum":["read","write"]},
		"limit":{"type":"integer","minimum":1,"maximum":100},
		"share":{"type":"number"},
		"tags":{"type":"array","items":{"type":"string"}},
		"at":{"type":"object","additionalProperties":false,"required":["x"],"properties":{"x":{"type":"boolean"}}},
		"name":{"type":"string","maxLength":3},
		"many":{"type":"string","enum":["`+strings.Repeat(`x","`, 1)+strings.Join(strings.Split(strings.Repeat("y", 40), ""), `z","z`)+`"]}}}`)
	for arguments, want := range map[string]string{
		`{"do":"chmod"}`:                    `do: expected one of "read", "write", got "chmod"`,
		`{}`:                                `do: missing`,
		`{"do":"read","x":1}`:               `unknown field "x"; the fields are at, do, limit, many, name, share, tags`,
		`{"do":5}`:                          `do: expected a string, got 5`,
		`{"do":null}`:                       `do: expected a string, got null`,
		`{"do":"read","limit":0}`:           `limit: expected at least 1, got 0`,
		`{"do":"read","limit":1e9}`:         `limit: expected at most 100, got 1e+09`,
		`{"do":"read","limit":1.5}`:         `limit: expected an integer, got 1.5`,
		`{"do":"read","share":"x"}`:         `share: expected a number, got "x"`,
		`{"do":"read","tags":["a",true]}`:   `tags[1]: expected a string, got true`,
		`{"do":"read","tags":{}}`:           `tags: expected an array, got an object`,
		`{"do":"read","at":{}}`:             `at.x: missing`,
		`{"do":"read","at":{"x":1}}`:        `at.x: expected a boolean, got 1`,
		`{"do":"read","at":{"y":1}}`:        `at: unknown field "y"; the fields are x`,
		`[]`:                                `the value: expected an object, got an array`,
		`{"do":"read","\u001b[2J":1}`:       `unknown field "\x1b[2J"; the fields are`,
		`{"do":"read","share":2,"limit":1}`: ``,
	} {
		err := made.CheckArguments([]byte(arguments))
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("%s: %v, want %s", arguments, err, want)
		}
	}
	if err := made.CheckArguments([]byte(`{"do":"read","name":"long"}`)); err == nil || !strings.Contains(err.Error(), "name") {
		t.Errorf("what explain does not know: %v", err)
	}
	if err := made.CheckArguments([]byte(`{"do":"read","many":"` + strings.Repeat("n", 5000) + `"}`)); err == nil || len(err.Error()) > 600 || !strings.Contains(err.Error(), "more") {
		t.Errorf("%v", err)
	}
}
