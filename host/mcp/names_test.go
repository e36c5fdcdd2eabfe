package mcp

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestNobodyTakesANameFromAnother(t *testing.T) {
	long := strings.Repeat("l", 60)
	all := []owned{
		{"a", "run"}, {"b", "run"}, // the same
		{"a_b", "c"}, {"a", "b_c"}, {"c", "c"}, {"d", "b_c"}, // the same once they are prefixed
		{"a", "alone"}, {"x", "a_run"}, // looks like a prefixed one
		{"p", long + "xyzzy"}, {"q", long + "xyzzy"}, // too long with a prefix
	}
	for range 3 {
		got := names(all, false)
		if twice := clash(got); len(twice) > 0 {
			t.Fatalf("two have the names %q", twice)
		}
		for o, name := range got {
			if len(name) > longestName {
				t.Errorf("%v is called %q, which is %d bytes long", o, name, len(name))
			}
		}
		if got[owned{"a", "alone"}] != "alone" || got[owned{"b", "run"}] != "b_run" {
			t.Errorf("the names are %v", got)
		}
		// Nobody's name depends on the order of loading.
		slices.Reverse(all)
		if again := names(all, false); !maps.Equal(got, again) {
			t.Errorf("another order gives %v, not %v", again, got)
		}
	}
	if got := names([]owned{{"a", "x"}}, true)[owned{"a", "x"}]; got != "a_x" {
		t.Errorf("with --prefix it is %q", got)
	}
}

func TestAPluginDoesNotFillTheList(t *testing.T) {
	r := room{}
	bomb := strings.Repeat("<", maxListed/11) // six bytes each on its way
	if err := r.take("a", bomb); err != nil {
		t.Fatal(err)
	}
	if err := r.take("a", bomb); err == nil {
		t.Error("a plugin takes more than its part of the list")
	}
	if err := r.take("b", bomb); err != nil {
		t.Errorf("another plugin has no room: %v", err)
	}
}

func TestSchemasThatEveryClientReads(t *testing.T) {
	for name, tt := range map[string]struct{ raw, input, output string }{
		"as it should be": {
			`{"type":"object","properties":{"b":{"type":"string"},"a":{}},"required":["b"]}`,
			`{"type":"object","properties":{"b":{"type":"string"},"a":{}},"required":["b"]}`,
			`{"properties":{"a":{},"b":{"type":"string"}},"required":["b"],"type":"object"}`,
		},
		"no type":            {`{}`, `{"type":"object"}`, `{"type":"object"}`},
		"anything":           {`true`, `{"type":"object"}`, `{"type":"object"}`},
		"nothing":            {`false`, ``, ``},
		"a text":             {`{"type":"string"}`, ``, ``},
		"several types":      {`{"type":["object","null"]}`, ``, ``},
		"a yes as a schema":  {`{"type":"object","properties":{"a":true}}`, `{"properties":{"a":{}},"type":"object"}`, `{"properties":{"a":{}},"type":"object"}`},
		"a no as a schema":   {`{"type":"object","properties":{"a":false}}`, `{"properties":{"a":{"not":{}}},"type":"object"}`, `{"properties":{"a":{"not":{}}},"type":"object"}`},
		"a pattern of Go's":  {`{"type":"object","properties":{"a":{"pattern":"(?P<x>\\z)"}}}`, `{"type":"object","properties":{"a":{"pattern":"(?P<x>\\z)"}}}`, `{"properties":{"a":{}},"type":"object"}`},
		"another dialect":    {`{"$schema":"http://evil.example/","type":"object"}`, `{"$schema":"http://evil.example/","type":"object"}`, `{"type":"object"}`},
		"a format of ours":   {`{"type":"object","properties":{"a":{"format":"x"}}}`, `{"type":"object","properties":{"a":{"format":"x"}}}`, `{"properties":{"a":{}},"type":"object"}`},
		"no choices":         {`{"type":"object","properties":{"a":{"enum":[]}}}`, `{"type":"object","properties":{"a":{"enum":[]}}}`, `{"properties":{"a":{}},"type":"object"}`},
		"a negative length":  {`{"type":"object","properties":{"a":{"minLength":-1}}}`, `{"type":"object","properties":{"a":{"minLength":-1}}}`, `{"properties":{"a":{}},"type":"object"}`},
		"required twice":     {`{"type":"object","required":["a","a"]}`, `{"type":"object","required":["a","a"]}`, `{"type":"object"}`},
		"a not that weakens": {`{"type":"object","properties":{"a":{"not":{"pattern":"x"}}}}`, `{"type":"object","properties":{"a":{"not":{"pattern":"x"}}}}`, `{"properties":{"a":{}},"type":"object"}`},
		"a dangling reference": {
			`{"type":"object","properties":{"a":{"$ref":"#/patternProperties/x"}},"patternProperties":{"x":{}}}`,
			`{"type":"object","properties":{"a":{"$ref":"#/patternProperties/x"}},"patternProperties":{"x":{}}}`,
			`{"properties":{"a":{}},"type":"object"}`,
		},
		"hidden text": {"{\"type\":\"object\",\"title\":\"a\u202eb\"}", `{"type":"object","title":"a\u202eb"}`, "{\"title\":\"a\u202eb\",\"type\":\"object\"}"},
	} {
		t.Run(name, func(t *testing.T) {
			input, err := inputSchema(json.RawMessage(tt.raw))
			if (err != nil) != (tt.input == "") || string(input) != tt.input {
				t.Errorf("as input it is %s (%v), want %s", input, err, tt.input)
			}
			if output := outputSchema(json.RawMessage(tt.raw)); string(output) != tt.output {
				t.Errorf("as output it is %s, want %s", output, tt.output)
			}
		})
	}
}
