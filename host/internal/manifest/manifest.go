// Package manifest reads what a guest says of its tools, and checks arguments
// and results against the JSON schemas in it.
//
// A manifest is written by somebody nobody trusts. It is bounded in size, number
// and depth before it is used, and a schema is weighed: references may neither
// run in circles (a validator that recurses for ever ends the host, not the
// guest) nor multiply (ten levels of "allOf": [x, x] are a thousand checks). What
// is weighed is what the schema library understood, which is not always what is
// written. A check that a schema and a value would make long is refused, since
// none can be interrupted (size.go).
package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"

	"github.com/google/jsonschema-go/jsonschema"

	"github.com/ringfence/ringfence/host/internal/printable"
	"github.com/ringfence/ringfence/pluginkit"
)

// Tool is one tool as its plugin describes it.
type Tool struct {
	// Name is unique within the plugin.
	Name string
	// Description is printable text of at most pluginkit.MaxDescription bytes,
	// line breaks included.
	Description string
	// Title is a printable line for people, or "".
	Title string
	// Hints are what the author says of the tool's effects.
	Hints Hints
	// Content says that the tool answers with content blocks (package content),
	// and OutputSchema is that of the structured part.
	Content bool
	// InputSchema and OutputSchema are JSON; OutputSchema may be nil.
	InputSchema, OutputSchema json.RawMessage

	input, output *schema
}

// Hints are an author's words about a tool's effects. nil is no word.
type Hints struct {
	ReadOnly    *bool `json:"read_only,omitempty"`
	Destructive *bool `json:"destructive,omitempty"`
	Idempotent  *bool `json:"idempotent,omitempty"`
	OpenWorld   *bool `json:"open_world,omitempty"`
}

func (h Hints) equal(other Hints) bool {
	same := func(a, b *bool) bool { return a == b || a != nil && b != nil && *a == *b }
	return same(h.ReadOnly, other.ReadOnly) && same(h.Destructive, other.Destructive) &&
		same(h.Idempotent, other.Idempotent) && same(h.OpenWorld, other.OpenWorld)
}

var toolName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)

// Parse reads a guest's manifest.
func Parse(b []byte) ([]Tool, error) {
	if len(b) > pluginkit.MaxManifest {
		return nil, fmt.Errorf("the manifest has %d bytes (maximum %d)", len(b), pluginkit.MaxManifest)
	}
	var doc struct {
		Tools []struct {
			Name         string          `json:"name"`
			Title        string          `json:"title"`
			Description  string          `json:"description"`
			Annotations  Hints           `json:"annotations"`
			Content      bool            `json:"content"`
			InputSchema  json.RawMessage `json:"input_schema"`
			OutputSchema json.RawMessage `json:"output_schema"`
		} `json:"tools"`
	}
	if err := json.Unmarshal(b, &doc); err != nil {
		return nil, fmt.Errorf("the manifest is not the JSON that docs/guest-abi.md asks for: %s", printable.Line(err.Error(), 256))
	}
	if err := checkNames(b); err != nil {
		return nil, fmt.Errorf("the manifest is not the JSON that docs/guest-abi.md asks for: %w", err)
	}
	if n := len(doc.Tools); n == 0 || n > pluginkit.MaxTools {
		return nil, fmt.Errorf("the manifest has %d tools (1 to %d are allowed)", n, pluginkit.MaxTools)
	}
	tools := make([]Tool, 0, len(doc.Tools))
	seen := make(map[string]bool)
	for i, t := range doc.Tools {
		switch {
		case !toolName.MatchString(t.Name):
			return nil, fmt.Errorf("tool %d has the name %q (allowed: %s)", i, printable.Line(t.Name, 80), toolName)
		case seen[t.Name]:
			return nil, fmt.Errorf("two tools have the name %q", t.Name)
		case len(t.Description) > pluginkit.MaxDescription:
			return nil, fmt.Errorf("the description of tool %q has %d bytes (maximum %d)", t.Name, len(t.Description), pluginkit.MaxDescription)
		}
		seen[t.Name] = true
		tool, err := newTool(t.Name, t.Description, t.InputSchema, t.OutputSchema)
		if err != nil {
			return nil, fmt.Errorf("tool %q: %w", t.Name, err)
		}
		tool.Title, tool.Hints, tool.Content = printable.Line(t.Title, maxTitle), t.Annotations, t.Content
		tools = append(tools, tool)
	}
	return tools, nil
}

// maxTitle is where a title is cut, in bytes.
const maxTitle = 256

func newTool(name, description string, input, output json.RawMessage) (Tool, error) {
	t := Tool{Name: name, Description: printableText(description)}
	var err error
	if isAbsent(input) {
		input = json.RawMessage(`{"type":"object"}`)
	}
	if t.input, t.InputSchema, err = compile(input); err != nil {
		return Tool{}, fmt.Errorf("input_schema: %w", err)
	}
	if !isAbsent(output) {
		if t.output, t.OutputSchema, err = compile(output); err != nil {
			return Tool{}, fmt.Errorf("output_schema: %w", err)
		}
	}
	return t, nil
}

func isAbsent(raw json.RawMessage) bool {
	return len(raw) == 0 || bytes.Equal(raw, []byte("null"))
}

// printableText is printable.Line for each line.
func printableText(s string) string {
	var out []byte
	for i, line := range bytes.Split([]byte(s), []byte("\n")) {
		if i > 0 {
			out = append(out, '\n')
		}
		out = append(out, printable.Line(string(line), pluginkit.MaxDescription)...)
	}
	return string(out)
}

// CheckArguments reports how arguments break the tool's input schema.
func (t *Tool) CheckArguments(arguments []byte) error {
	if t.input == nil { // not a tool: the host wrote the arguments
		return valid(arguments)
	}
	return t.input.check(arguments)
}

// CheckResult reports how a result breaks the tool's output schema. A tool
// without one may answer any JSON.
func (t *Tool) CheckResult(result []byte) error {
	if t.output == nil {
		return valid(result)
	}
	return t.output.check(result)
}

// schema is a JSON schema that is safe to evaluate.
type schema struct {
	resolved         *jsonschema.Resolved
	shape            shape
	breadth, textual int // see scales
}

func compile(raw json.RawMessage) (*schema, json.RawMessage, error) {
	if _, err := weigh(raw); err != nil {
		return nil, nil, err
	}
	if err := checkText(raw); err != nil {
		return nil, nil, err
	}
	var s jsonschema.Schema
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, nil, fmt.Errorf("not a JSON schema: %s", printable.Line(err.Error(), 256))
	}
	// What counts is what was understood: to encoding/json, "$REF" is a $ref.
	understood, err := json.Marshal(s)
	if err != nil {
		return nil, nil, fmt.Errorf("not a JSON schema: %s", printable.Line(err.Error(), 256))
	}
	w, err := weigh(understood)
	if err != nil {
		return nil, nil, err
	}
	resolved, err := s.Resolve(nil)
	if err != nil {
		return nil, nil, fmt.Errorf("not a usable JSON schema: %s", printable.Line(err.Error(), 256))
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, raw); err != nil {
		return nil, nil, err
	}
	return &schema{resolved, shapeOf(&s), w.breadth, w.textual}, compact.Bytes(), nil
}

// Equal reports whether two tools are described alike.
func (t Tool) Equal(u Tool) bool {
	return t.Name == u.Name && t.Title == u.Title && t.Description == u.Description &&
		t.Hints.equal(u.Hints) && t.Content == u.Content &&
		bytes.Equal(t.InputSchema, u.InputSchema) && bytes.Equal(t.OutputSchema, u.OutputSchema)
}
