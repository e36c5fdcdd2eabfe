package content

import (
	"strings"
	"testing"
)

func TestAnswersThatAreRefused(t *testing.T) {
	for name, raw := range map[string]string{
		"no object":              `[]`,
		"another member":         `{"content":[],"_meta":{"ringfence/untrusted":false}}`,
		"meta in a block":        `{"content":[{"type":"text","text":"x","_meta":{}}]}`,
		"annotations in a block": `{"content":[{"type":"text","text":"x","annotations":{"priority":1}}]}`,
		"an unknown kind":        `{"content":[{"type":"tool_result","text":"x"}]}`,
		"a text without text":    `{"content":[{"type":"text"}]}`,
		"a text with data":       `{"content":[{"type":"text","text":"x","data":""}]}`,
		"an image that is HTML":  `{"content":[{"type":"image","mime_type":"text/html","data":""}]}`,
		"a MIME type to confuse": `{"content":[{"type":"image","mime_type":"image/png\r\nX: y","data":""}]}`,
		"data that is no base64": `{"content":[{"type":"image","mime_type":"image/png","data":"?"}]}`,
		"a link with a text":     `{"content":[{"type":"link","resource":{"uri":"a:b","name":"x","text":"y"}}]}`,
		"a resource without":     `{"content":[{"type":"resource","resource":{"uri":"a:b"}}]}`,
		"a resource with both":   `{"content":[{"type":"resource","resource":{"uri":"a:b","text":"","blob":""}}]}`,
		"a URI with an escape":   `{"content":[{"type":"resource","resource":{"uri":"a:\u001b[2J","text":""}}]}`,
		"a URI without end":      `{"content":[{"type":"resource","resource":{"uri":"a:` + strings.Repeat("b", 3000) + `","text":""}}]}`,
		"too many blocks":        `{"content":[` + strings.Repeat(`{"type":"text","text":""},`, 256) + `{"type":"text","text":""}]}`,
		"deep structure":         `{"content":[],"structured":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}`,
		"more than one value":    `{"content":[]} {}`,
	} {
		t.Run(name, func(t *testing.T) {
			if a, err := ParseAnswer([]byte(raw)); err == nil {
				t.Fatalf("taken as %+v", a)
			} else if strings.ContainsAny(err.Error(), "\x1b\r\n") {
				t.Fatalf("the error is not one printable line: %q", err)
			}
		})
	}
}

func TestTextsAreShownNotActedOn(t *testing.T) {
	a, err := ParseAnswer([]byte(`{"content":[{"type":"text","text":"a\u001b[2Jb\u202ec` + "\U000e0041" + `\nd"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if want := `a\u{1b}[2Jb\u{202e}c\u{e0041}` + "\nd"; a.Blocks[0].Text != want {
		t.Errorf("got %q, want %q", a.Blocks[0].Text, want)
	}
}

func TestContentsOfAnotherPlace(t *testing.T) {
	for _, uri := range []string{"file:///etc/passwd", "https://example.com/", "", "x", "JavaScript:x"} {
		if _, err := ParseContents([]byte(`{"contents":[{"uri":"` + uri + `","text":"x"}]}`)); err == nil {
			t.Errorf("a plugin's resource can be %q", uri)
		}
	}
}

func TestMessagesAndCompletionsThatAreRefused(t *testing.T) {
	for _, raw := range []string{
		`{"messages":[{"role":"system","content":{"type":"text","text":"x"}}]}`,
		`{"messages":[{"role":"user"}]}`,
	} {
		if _, err := ParseMessages([]byte(raw)); err == nil {
			t.Errorf("taken: %s", raw)
		}
	}
	if _, err := ParseCompletion([]byte(`{"values":[` + strings.Repeat(`"x",`, 100) + `"x"]}`)); err == nil {
		t.Error("101 completions are taken")
	}
	if _, err := ParseCompletion([]byte(`{"values":[],"total":-1}`)); err == nil {
		t.Error("a negative total is taken")
	}
}

func TestForms(t *testing.T) {
	form := func(schema string) string { return `{"message":"m","schema":` + schema + `}` }
	for name, raw := range map[string]string{
		"no message":              `{"schema":{"type":"object"}}`,
		"a long message":          `{"message":"` + strings.Repeat("x", 5000) + `","schema":{"type":"object"}}`,
		"no object":               form(`{"type":"string"}`),
		"nested fields":           form(`{"type":"object","properties":{"a":{"type":"object"}}}`),
		"a list of anything":      form(`{"type":"object","properties":{"a":{"type":"array","items":{"type":"object"}}}}`),
		"no choices":              form(`{"type":"object","properties":{"a":{"type":"string","enum":[]}}}`),
		"choices that hide":       form(`{"type":"object","properties":{"a":{"type":"string","enum":["a\u202eb"]}}}`),
		"a password":              form(`{"type":"object","properties":{"a":{"type":"string","format":"password"}}}`),
		"a name with an escape":   form(`{"type":"object","properties":{"a\u001b":{"type":"string"}}}`),
		"a field that is missing": form(`{"type":"object","properties":{},"required":["a"]}`),
		"too deep":                form(`{"type":"object","properties":` + strings.Repeat(`{"a":`, 200) + `1` + strings.Repeat(`}`, 200) + `}`),
	} {
		t.Run(name, func(t *testing.T) {
			if f, err := ParseForm([]byte(raw)); err == nil {
				t.Fatalf("taken as %s", f.Schema)
			}
		})
	}
	f, err := ParseForm([]byte(form(`{"type":"object","additionalProperties":false,"x-evil":1,"properties":{"a":{"type":"string","title":"t\u001b","pattern":"(a+)+$"}}}`)))
	if want := `{"properties":{"a":{"type":"string","title":"t\\x1b"}},"type":"object"}`; err != nil || string(f.Schema) != want {
		t.Errorf("got %s (%v), want %s", f.Schema, err, want)
	}
}

func TestSampling(t *testing.T) {
	const message = `{"role":"user","content":{"type":"text","text":"x"}}`
	q, err := ParseSampling([]byte(`{"messages":[`+message+`],"system":"s","max_tokens":5000}`), 100)
	if err != nil || q.MaxTokens != 100 || len(q.Messages) != 1 {
		t.Errorf("got %+v, %v", q, err)
	}
	for _, raw := range []string{
		`{"messages":[],"max_tokens":1}`,
		`{"messages":[` + message + `],"max_tokens":0}`,
		`{"messages":[` + message + `],"max_tokens":1,"includeContext":"allServers"}`,
		`{"messages":[{"role":"user","content":{"type":"resource","resource":{"uri":"a:b","text":""}}}],"max_tokens":1}`,
	} {
		if _, err := ParseSampling([]byte(raw), 100); err == nil {
			t.Errorf("taken: %s", raw)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"content":[{"type":"text","text":"x"}],"structured":{"a":1}}`))
	f.Add([]byte(`{"contents":[{"uri":"a:b","blob":"AA=="}]}`))
	f.Add([]byte(`{"message":"m","schema":{"type":"object","properties":{"a":{"type":"array","items":{"anyOf":[{"const":"x"}]}}}}}`))
	f.Add([]byte(`{"messages":[{"role":"user","content":{"type":"image","mime_type":"image/png","data":""}}],"max_tokens":1}`))
	f.Fuzz(func(_ *testing.T, raw []byte) {
		// Nothing a guest writes may panic here; what is taken was checked above.
		_, _ = ParseAnswer(raw)
		_, _ = ParseContents(raw)
		_, _ = ParseMessages(raw)
		_, _ = ParseCompletion(raw)
		_, _ = ParseForm(raw)
		_, _ = ParseSampling(raw, 100)
	})
}
