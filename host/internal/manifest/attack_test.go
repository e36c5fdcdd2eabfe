package manifest

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// Each of these ended the host or held it for minutes before it was refused:
// the validator recurses on the host's stack, compiles patterns into the host's
// memory, and quotes whole values in every complaint.
func TestASchemaCannotHideFromTheScales(t *testing.T) {
	for name, tt := range map[string]struct{ schema, complaint string }{
		"a circle in capitals":      {`{"$REF":"#"}`, "circle"},
		"a pair check in capitals":  {`{"UniqueItems":true}`, "uniqueItems"},
		"a member twice":            {`{"properties":{"a":{"$ref":"#/$defs/x"}},"properties":{},"$defs":{"x":{"$ref":"#/$defs/y"},"y":{"$ref":"#/$defs/x"}},"$defs":{}}`, "twice"},
		"a member twice, escaped":   {`{"allOf":[],"\u0061llOf":[]}`, "twice"},
		"merged by case":            {`{"$defs":{"x":{"$ref":"#/$defs/y"},"y":{}},"$DEFS":{"y":{"$ref":"#/$defs/x"}},"$ref":"#/$defs/x"}`, "circle"},
		"a property named allOf":    {`{"properties":{"allOf":{"not":{"$ref":"#"}}},"allOf":[{"$ref":"#/properties/allOf"}]}`, "circle"},
		"a long pattern":            {`{"pattern":"` + strings.Repeat("a", 2000) + `"}`, "2000 bytes"},
		"a pattern bomb":            {`{"pattern":"` + strings.Repeat("(a{1000})", 100) + `"}`, "instructions"},
		"pattern bombs as names":    {`{"patternProperties":{"` + strings.Repeat("(a{1000})", 100) + `":true}}`, "instructions"},
		"many small pattern bombs":  {`{"anyOf":[` + strings.Repeat(`{"pattern":"a{900}"},`, 100) + `{}]}`, "instructions"},
		"a schema that is all text": {`{"enum":["` + strings.Repeat("x", 900_000) + `"]}`, "parts"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(`{"tools":[{"name":"t","input_schema":` + tt.schema + `}]}`))
			if err == nil || !strings.Contains(err.Error(), tt.complaint) {
				t.Fatalf("got %v, want a complaint about %q", err, tt.complaint)
			}
		})
	}
}

func TestASchemaMayUseKeywordsAsNamesAndData(t *testing.T) {
	const s = `{"type":"object","properties":{"$ref":{"type":"string"},"uniqueItems":{"type":"boolean"},"Type":{"const":{"$ref":1,"pattern":"("}}}}`
	if err := tool(t, s).input.check([]byte(`{"$ref":"x","uniqueItems":true,"Type":{"$ref":1,"pattern":"("}}`)); err != nil {
		t.Error(err)
	}
}

// A check must neither take long nor take memory, whatever schema and value are.
func TestACheckIsBounded(t *testing.T) {
	text := `"` + strings.Repeat("x", maxDecoded-2) + `"`
	many := func(s string, n int) string { return "[" + strings.Repeat(s+",", n) + s + "]" }
	names := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `"%07d":0,`, i)
		}
		return "{" + b.String() + `"x":0}`
	}
	for name, tt := range map[string]struct{ schema, value string }{
		"complaints that quote a long text": {`{"anyOf":` + many(`{"type":"integer"}`, 2000) + `}`, text},
		"complaints that quote an array":    {`{"anyOf":` + many(`{"type":"integer"}`, 2000) + `}`, many("0", 4000)},
		"complaints that quote names":       {`{"anyOf":` + many(`{"additionalProperties":false}`, 500) + `}`, names(8000)},
		"complaints about patterns":         {`{"anyOf":` + many(`{"pattern":"y"}`, 1000) + `}`, text},
		"a slow pattern":                    {`{"pattern":"(x?){400}y"}`, text},
		"lengths over and over":             {`{"allOf":` + many(`{"minLength":1}`, 3000) + `}`, text},
		"many complaints about each item":   {`{"contains":{"anyOf":` + many(`false`, 3000) + `}}`, many("0", 5_000_000)},
		"nearly as many as allowed":         {`{"contains":{"anyOf":` + many(`false`, 3000) + `}}`, many("0", 200)},
		"text in each complaint":            {`{"contains":{"enum":["` + strings.Repeat("x", 500_000) + `"]}}`, many("0", 5_000_000)},
		"millions of numbers":               {`{"type":"array","items":{"type":"integer"}}`, many("0", 50_000_000)},
		"millions of names":                 {`{"type":"object","properties":{"a":{"type":"string"}}}`, names(5_000_000)},
		"millions of objects":               {`{"type":"array","items":{"type":"object","properties":{"a":{"type":"string"}}}}`, many("{}", 3_000_000)},
		"many properties of many objects":   {`{"items":{"required":` + many(`"x"`, 3000) + `,"properties":{"a":true}}}`, many(`{"x":0}`, 1_000_000)},
	} {
		t.Run(name, func(t *testing.T) {
			checked := tool(t, tt.schema)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			began := time.Now()
			err := checked.CheckArguments([]byte(tt.value))
			took := time.Since(began)
			runtime.ReadMemStats(&after)
			if took > 20*time.Second {
				t.Errorf("it took %s", took)
			}
			if got := (after.TotalAlloc - before.TotalAlloc) >> 20; got > 2<<10 {
				t.Errorf("it took %d MiB", got)
			}
			if err != nil && len(err.Error()) > 600 {
				t.Errorf("the complaint has %d bytes", len(err.Error()))
			}
			t.Logf("%s, %d MiB: %v", took, (after.TotalAlloc-before.TotalAlloc)>>20, err)
		})
	}
}

func TestMembersAreCountedBeforeTheyAreDecoded(t *testing.T) {
	for raw, want := range map[string]int{
		`[]`: 1, `{}`: 1, `[1]`: 1, `[1,2]`: 2, ` [ "a,b" , [1,2,3], {"x":1,"y":2} ] `: 3, `{"a,\"":"\\","b,":[1,2]}`: 2,
	} {
		if got := members([]byte(raw)); got != want {
			t.Errorf("%s: %d, want %d", raw, got, want)
		}
	}
}
