package manifest

import (
	"fmt"
	"strings"
	"testing"
)

func extras(text string) (Extras, error) {
	return ParseExtras([]byte(`{"tools":[{"name":"t"}],`+text+`}`), 1)
}

func TestExtrasThatAreRefused(t *testing.T) {
	resource := func(uri string) string {
		return fmt.Sprintf(`"resources":[{"uri":%q,"name":"n"}]`, uri)
	}
	template := func(uri string) string {
		return fmt.Sprintf(`"resource_templates":[{"uri_template":%q,"name":"n"}]`, uri)
	}
	for name, text := range map[string]string{
		"a file":                         resource("file:///etc/passwd"),
		"a website":                      resource("https://bank.example/"),
		"a script":                       resource("javascript:alert(1)"),
		"no scheme":                      resource("notes/today"),
		"a scheme in capitals":           resource("FILE:///etc/passwd"),
		"an escape":                      resource("notes:\x1b[2J"),
		"a template as a URI":            resource("notes:{x}"),
		"a URI without end":              resource("notes:" + strings.Repeat("x", 2000)),
		"no name":                        `"resources":[{"uri":"a:b"}]`,
		"a MIME type to confuse":         `"resources":[{"uri":"a:b","name":"n","mime_type":"text/html\u001b"}]`,
		"the same twice":                 `"resources":[{"uri":"a:b","name":"n"},{"uri":"a:b","name":"m"}]`,
		"too many":                       `"resources":[` + strings.TrimSuffix(strings.Repeat(`{"uri":"a:b","name":"n"},`, 257), ",") + `]`,
		"a template for everything":      template("{+uri}"),
		"a template for every scheme":    template("{scheme}://x"),
		"a template without variables":   template("notes:x"),
		"a template that explodes":       template("notes:{list*}"),
		"a template of a query":          template("notes:x{?a,b}"),
		"a template with many":           template("notes:" + strings.Repeat("{a}", 2) + "{b}{c}{d}{e}{f}{g}{h}{i}"),
		"a template that is not closed":  template("notes:{a"),
		"a prompt with a bad name":       `"prompts":[{"name":"a b"}]`,
		"a prompt with an escape":        `"prompts":[{"name":"a\u001b"}]`,
		"a prompt twice":                 `"prompts":[{"name":"a"},{"name":"a"}]`,
		"a prompt with an argument of 0": `"prompts":[{"name":"a","arguments":[{"name":""}]}]`,
		"a prompt with one twice":        `"prompts":[{"name":"a","arguments":[{"name":"x"},{"name":"x"}]}]`,
		"a prompt with too many":         `"prompts":[{"name":"a","arguments":[` + strings.TrimSuffix(strings.Repeat(`{"name":"x"},`, 33), ",") + `]}]`,
		"a long description":             `"prompts":[{"name":"a","description":"` + strings.Repeat("x", 5000) + `"}]`,
		"other types":                    `"completions":"yes"`,
	} {
		t.Run(name, func(t *testing.T) {
			if e, err := extras(text); err == nil {
				t.Fatalf("taken as %+v", e)
			} else if strings.ContainsAny(err.Error(), "\x1b\n") {
				t.Fatalf("the error is not one printable line: %q", err)
			}
		})
	}
}

func TestExtrasAreNumberedAfterTheTools(t *testing.T) {
	e, err := extras(`"resources":[{"uri":"a:1","name":"n"},{"uri":"a:2","name":"n"}],
		"resource_templates":[{"uri_template":"a:{x}/{+y}","name":"n"}],
		"prompts":[{"name":"p","title":"t\u001b","description":"d\u202e"}],"completions":true`)
	if err != nil {
		t.Fatal(err)
	}
	read, _ := e.ReadResource(1)
	templated, _ := e.ReadTemplate(0)
	prompt, _ := e.GetPrompt(0)
	complete, tool := e.Complete()
	if read != 2 || templated != 3 || prompt != 4 || complete != 5 || tool.Name != "completion" {
		t.Errorf("the numbers are %d, %d, %d, %d", read, templated, prompt, complete)
	}
	if p := e.Prompts[0]; p.Title != `t\x1b` || p.Description != `d\u202e` {
		t.Errorf("the prompt is %+v", p)
	}
	other, _ := extras(`"completions":true`)
	if e.Equal(other) || !e.Equal(e) {
		t.Error("Equal does not tell them apart")
	}
}

func TestToolsWithHiddenText(t *testing.T) {
	for name, text := range map[string]string{
		"a property that acts":    `{"type":"object","properties":{"a\u001b[2J":{}}}`,
		"a description that":      `{"type":"object","description":"a\u009b2J"}`,
		"a description of tags":   `{"type":"object","properties":{"a":{"description":"x` + "\U000e0049\U000e0047" + `"}}}`,
		"an enum that turns":      `{"type":"object","properties":{"a":{"enum":["a\u202eb"]}}}`,
		"a default with a delete": `{"type":"object","properties":{"a":{"default":"\u007f"}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Parse([]byte(`{"tools":[{"name":"t","input_schema":` + text + `}]}`)); err == nil {
				t.Fatal("taken")
			}
		})
	}
	tools, err := Parse([]byte(`{"tools":[{"name":"t","title":"a\u001b","content":true,"annotations":{"read_only":true,"idempotent":false}}]}`))
	if err != nil || tools[0].Title != `a\x1b` || !tools[0].Content || !*tools[0].Hints.ReadOnly || *tools[0].Hints.Idempotent || tools[0].Hints.Destructive != nil {
		t.Errorf("got %+v, %v", tools, err)
	}
}
