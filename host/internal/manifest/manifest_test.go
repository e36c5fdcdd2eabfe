package manifest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func tool(t *testing.T, input string) Tool {
	t.Helper()
	tools, err := Parse([]byte(`{"tools":[{"name":"t","input_schema":` + input + `}]}`))
	if err != nil {
		t.Fatal(err)
	}
	return tools[0]
}

func TestArgumentsAreCheckedAgainstTheSchema(t *testing.T) {
	const jq = `{"type":"object","additionalProperties":false,"required":["program"],"properties":{
		"program":{"type":"string","description":"p"},"input":true,
		"limit":{"type":"integer","minimum":1},
		"tags":{"type":"array","items":{"type":"string"}},
		"rows":{"type":"array","items":{}},
		"deep":{"$ref":"#/$defs/d"}},"$defs":{"d":{"type":"object","properties":{"x":{"type":"boolean"}}}}}`
	for name, tt := range map[string]struct{ args, complaint string }{
		"fine":               {`{"program":".","input":[1,{"a":[]}],"tags":["a"],"rows":[1,"x"],"limit":1,"deep":{"x":true}}`, ""},
		"required missing":   {`{"input":1}`, "program"},
		"unknown property":   {`{"program":".","inputs":1}`, "inputs"},
		"wrong type":         {`{"program":1}`, "program"},
		"array for object":   {`[]`, "an object"},
		"string for object":  {`"x"`, "an object"},
		"element":            {`{"program":".","tags":["a",2]}`, "tags"},
		"object for array":   {`{"program":".","rows":{}}`, "rows"},
		"out of range":       {`{"program":".","limit":0}`, "limit"},
		"through reference":  {`{"program":".","deep":{"x":1}}`, "boolean"},
		"not JSON":           {`{"program":`, "JSON"},
		"two values":         {`{"program":"."} {}`, "JSON"},
		"not UTF-8":          {"{\"program\":\"\x9b2J\"}", "UTF-8"},
		"deep nesting input": {`{"program":".","input":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + `}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			jqTool := tool(t, jq)
			err := jqTool.CheckArguments([]byte(tt.args))
			switch {
			case tt.complaint == "" && err != nil:
				t.Fatalf("refused: %v", err)
			case tt.complaint != "" && (err == nil || !strings.Contains(err.Error(), tt.complaint)):
				t.Fatalf("got %v, want a complaint about %q", err, tt.complaint)
			}
		})
	}
}

func TestAHostileManifestIsRefused(t *testing.T) {
	bomb := `{"$defs":{"d0":{"type":"string"}`
	for i := 1; i < 16; i++ {
		bomb += fmt.Sprintf(`,"d%d":{"allOf":[{"$ref":"#/$defs/d%d"},{"$ref":"#/$defs/d%d"}]}`, i, i-1, i-1)
	}
	bomb += `},"$ref":"#/$defs/d15"}`
	schema := func(s string) string { return `{"tools":[{"name":"t","input_schema":` + s + `}]}` }
	for name, tt := range map[string]struct{ manifest, complaint string }{
		"empty":                       {``, "JSON"},
		"no tools":                    {`{}`, "0 tools"},
		"too many tools":              {`{"tools":[` + strings.Repeat(`{"name":"a"},`, 300) + `{"name":"a"}]}`, "301 tools"},
		"duplicate":                   {`{"tools":[{"name":"a"},{"name":"a"}]}`, "two tools"},
		"name with an escape":         {`{"tools":[{"name":"a\u001b[2J"}]}`, "name"},
		"name of a flag":              {`{"tools":[{"name":"-x"}]}`, "name"},
		"long description":            {`{"tools":[{"name":"a","description":"` + strings.Repeat("x", 5000) + `"}]}`, "5000 bytes"},
		"schema is a number":          {schema(`1`), "schema"},
		"reference in a circle":       {schema(`{"$ref":"#"}`), "circle"},
		"circle through two":          {schema(`{"$defs":{"a":{"$ref":"#/$defs/b"},"b":{"anyOf":[{"$ref":"#/$defs/a"}]}},"$ref":"#/$defs/a"}`), "circle"},
		"a billion laughs":            {schema(bomb), "parts"},
		"reference to the network":    {schema(`{"$ref":"https://example.com/s"}`), "only"},
		"reference to a file":         {schema(`{"$ref":"file:///etc/passwd"}`), "only"},
		"dangling reference":          {schema(`{"$ref":"#/$defs/x"}`), "not in it"},
		"dynamic reference":           {schema(`{"$dynamicRef":"#a"}`), "not supported"},
		"an id that moves references": {schema(`{"$id":"http://x/","$ref":"#"}`), ""},
		"quadratic":                   {schema(`{"type":"array","uniqueItems":true}`), "not supported"},
		"nested too deep":             {schema(strings.Repeat(`{"not":`, 100) + `{}` + strings.Repeat(`}`, 100)), "deeper"},
		"bad pattern":                 {schema(`{"type":"string","pattern":"("}`), "schema"},
	} {
		t.Run(name, func(t *testing.T) {
			tools, err := Parse([]byte(tt.manifest))
			if err == nil || !strings.Contains(err.Error(), tt.complaint) {
				t.Fatalf("got %v, %v; want a complaint about %q", tools, err, tt.complaint)
			}
			if len(err.Error()) > 1000 {
				t.Fatalf("the complaint has %d bytes", len(err.Error()))
			}
		})
	}
}

func TestWhatASchemaLeavesOpenIsNotDecoded(t *testing.T) {
	huge := `"` + strings.Repeat("x", maxDecoded+1) + `"`
	strict := tool(t, `{"type":"object","properties":{"a":{"type":"string"},"b":{}}}`)
	if err := strict.CheckArguments([]byte(`{"b":` + huge + `}`)); err != nil {
		t.Errorf("an open property was refused: %v", err)
	}
	if err := strict.CheckArguments([]byte(`{"a":` + huge + `}`)); err == nil {
		t.Error("a strict property of any size was decoded")
	}
}

// Tools without a schema of their own have {"type":"object"}, so that most large
// arguments are only read to see that they are JSON.
func TestOfAnObjectThatMayBeAnythingNothingIsDecoded(t *testing.T) {
	crowd := `{` + strings.Repeat(`"a":0,`, maxDecoded/16) + `"a":0}` // more members than may be decoded
	for schema, tt := range map[string]struct {
		args string
		fits bool
	}{
		`{"type":"object"}`:                               {crowd, true},
		`{"type":"object","additionalProperties":{}}`:     {crowd, true},
		`{"type":"object","description":"d"}`:             {` [{}]`, false},
		`{"type":"object","title":"t"}`:                   {`"{"`, false},
		`{"type":"object","$comment":"c"}`:                {`{"a":}`, false},
		`{"type":"object","additionalProperties":false}`:  {`{"a":1}`, false},
		`{"type":"object","required":["a"]}`:              {`{}`, false},
		`{"type":"object","minProperties":1}`:             {`{}`, false},
		`{"type":"object","properties":{"a":false}}`:      {`{"a":1}`, false},
		`{"type":"object","propertyNames":{"const":"b"}}`: {`{"a":1}`, false},
	} {
		any := tool(t, schema)
		if err := any.CheckArguments([]byte(tt.args)); (err == nil) != tt.fits {
			t.Errorf("%s, %.10s: %v", schema, tt.args, err)
		}
	}
}

// BenchmarkCheck is a large argument of a tool whose schema says little, beside
// json.Valid of the same bytes.
func BenchmarkCheck(b *testing.B) {
	raw := []byte(`{"text":"` + strings.Repeat("x", 1<<20) + `"}`)
	b.Run("baseline=valid", func(b *testing.B) {
		for b.Loop() {
			json.Valid(raw)
		}
	})
	tools, err := Parse([]byte(`{"tools":[{"name":"t","input_schema":{"type":"object"}}]}`))
	if err != nil {
		b.Fatal(err)
	}
	b.Run("check", func(b *testing.B) {
		for b.Loop() {
			if err := tools[0].CheckArguments(raw); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"tools":[{"name":"t","input_schema":{"type":"object","properties":{"a":{"$ref":"#/$defs/x"}},"$defs":{"x":{"enum":[1]}}}}]}`), []byte(`{"a":1}`))
	f.Add([]byte(`{"tools":[{"name":"t","input_schema":{"if":{"const":1},"then":{"items":{"type":"array","items":{"$ref":"#"}}}}}]}`), []byte(`[1]`))
	f.Fuzz(func(t *testing.T, manifest, arguments []byte) {
		tools, err := Parse(manifest)
		if err != nil {
			return
		}
		for i := range tools {
			if !json.Valid(tools[i].InputSchema) {
				t.Fatalf("schema %q is not JSON", tools[i].InputSchema)
			}
			if tools[i].CheckArguments(arguments) == nil && !json.Valid(arguments) {
				t.Fatalf("accepted %q", arguments)
			}
		}
	})
}
